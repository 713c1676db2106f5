using System.Diagnostics;

namespace SharedPageCache;

/// <summary>A lease that has not ended, as a cache in checked mode knows it.</summary>
/// <param name="Number">Counts the leases of the cache from their first on: a larger number was taken later.</param>
/// <param name="Kind">How the page is leased.</param>
/// <param name="File">The file.</param>
/// <param name="FileName">Its name, if it has one.</param>
/// <param name="Offset">The byte of the file at which the lease begins.</param>
/// <param name="Frame">The frame; none for a page that reads zero.</param>
/// <param name="Thread">The managed id of the thread that took the lease.</param>
/// <param name="TakenAt">The stack of the call that took it.</param>
[DebuggerDisplay("{Kind} lease {Number} of {FileName} at {Offset}, {Frame}")]
public sealed record PageHolder(
    long Number, LeaseKind Kind, FileId File, string? FileName, long Offset, FrameIndex Frame, int Thread, string TakenAt)
{
    /// <summary>One line, without the stack.</summary>
    public override string ToString() =>
        $"{Kind} lease {Number} of file {FileName ?? File.ToString()} at {Offset}, {Frame}, taken by thread {Thread}";
}
