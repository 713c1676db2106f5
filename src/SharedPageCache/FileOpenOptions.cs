using System.Diagnostics;
using SharedPageCache.Mappings;

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

    /// <summary>
    /// Whether the file is sealed, as by <see cref="MappedFile.Seal"/>. A clone is so from the start, a snapshot that nobody
    /// has ever written to; opening a file that is open already seals it for all of its handles.
    /// </summary>
    public bool IsSealed { get; set; }

    /// <summary>What a caller asks for.</summary>
    /// <param name="options">The caller's; null for none.</param>
    /// <param name="domain">The domain if the caller names none.</param>
    internal static FileTerms TermsOf(FileOpenOptions? options, SecurityDomain domain) =>
        new(options?.Id ?? FileId.None, options?.Name, options?.Domain ?? domain, options?.IsSealed ?? false);
}
