using System.Diagnostics;

namespace SharedPageCache;

/// <summary>One thing that a cache in checked mode has found: what, where, and whose lease it was.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Frame">The frame concerned; none if there is none.</param>
/// <param name="Message">All that is known, in words: frame, page, first changed byte, leases, threads.</param>
/// <param name="TakenAt">The stack of the call that took the lease concerned, or of the last lease of the frame; null if there is none.</param>
[DebuggerDisplay("{Kind}: {Message}")]
public sealed record CacheMisuse(CacheMisuseKind Kind, FrameIndex Frame, string Message, string? TakenAt)
{
    /// <inheritdoc/>
    public override string ToString() => TakenAt is null ? $"{Kind}: {Message}" : $"{Kind}: {Message}{Environment.NewLine}The lease was taken{Environment.NewLine}{TakenAt}";
}
