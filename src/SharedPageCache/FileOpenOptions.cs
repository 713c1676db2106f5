using System.Diagnostics;

namespace SharedPageCache;

/// <summary>How a file is opened or cloned.</summary>
[DebuggerDisplay("{Name,nq} {Id}")]
public sealed class FileOpenOptions
{
    /// <summary>
    /// The engine's identity of the file. Default <see cref="FileId.None"/>: an anonymous file. Opening a non-empty id
    /// that is open already gives another handle on the same tree.
    /// </summary>
    public FileId Id { get; set; }

    /// <summary>The file's name in messages and reports.</summary>
    public string? Name { get; set; }

    /// <summary>
    /// The trust domain that the file belongs to; default the volume's. Memory that passes from one domain to another is
    /// zeroed. A clone is opened in its origin's domain unless this says otherwise.
    /// </summary>
    public SecurityDomain? Domain { get; set; }
}
