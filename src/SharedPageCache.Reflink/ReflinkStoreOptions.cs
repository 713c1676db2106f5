using System.Diagnostics;

namespace SharedPageCache.Reflink;

/// <summary>How a <see cref="ReflinkStore"/> works.</summary>
[DebuggerDisplay("{ChangeCheck}")]
public sealed class ReflinkStoreOptions
{
    /// <summary>What counts as a change of a file; <see cref="ReflinkChangeCheck.ChangeTime"/> if not set.</summary>
    public ReflinkChangeCheck ChangeCheck { get; set; }
}
