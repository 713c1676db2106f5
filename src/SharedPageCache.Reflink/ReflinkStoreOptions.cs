using System.Diagnostics;

namespace SharedPageCache.Reflink;

/// <summary>How a <see cref="ReflinkStore"/> works.</summary>
[DebuggerDisplay("{ChangeCheck}")]
public sealed class ReflinkStoreOptions
{
    /// <summary>What counts as a change of a file; <see cref="ReflinkChangeCheck.ChangeTime"/> if not set.</summary>
    public ReflinkChangeCheck ChangeCheck { get; set; }

    /// <summary>
    /// Whether files may be opened by <see cref="ReflinkStore.OpenForWriting"/>. Default no: then the store never writes.
    /// </summary>
    public bool AllowWriting { get; set; }
}
