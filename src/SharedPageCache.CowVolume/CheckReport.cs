using System.Diagnostics;

namespace SharedPageCache.Cow;

/// <summary>What <see cref="CowVolume.Check"/> found.</summary>
[DebuggerDisplay("{Violations.Count} violations, {FilesChecked} files, {MetadataBlocksChecked} metadata blocks")]
public sealed class CheckReport
{
    internal CheckReport(IReadOnlyList<string> violations, int files, long metadataBlocks, long contentBlocks)
    {
        Violations = violations;
        FilesChecked = files;
        MetadataBlocksChecked = metadataBlocks;
        ContentBlocksChecked = contentBlocks;
    }

    /// <summary>Each thing that is wrong, in words; empty if the volume is sound.</summary>
    public IReadOnlyList<string> Violations { get; }

    /// <summary>Whether nothing is wrong.</summary>
    public bool IsClean => Violations.Count == 0;

    /// <summary>How many files of the newest state on disk were read.</summary>
    public int FilesChecked { get; }

    /// <summary>How many blocks of metadata of the newest state on disk were read and had the right checksums.</summary>
    public long MetadataBlocksChecked { get; }

    /// <summary>How many blocks of content the newest state on disk shows.</summary>
    public long ContentBlocksChecked { get; }
}
