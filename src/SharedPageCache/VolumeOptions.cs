using System.Diagnostics;

namespace SharedPageCache;

/// <summary>How a volume is attached.</summary>
[DebuggerDisplay("{Name,nq} {Id}")]
public sealed class VolumeOptions
{
    /// <summary>
    /// The identity of the volume's blocks: stable, unique in the cache, and common to all clones on the volume. Default
    /// a fresh one.
    /// </summary>
    public VolumeId Id { get; set; } = VolumeId.NewId();

    /// <summary>The volume's name in messages and dumps; default its id.</summary>
    public string? Name { get; set; }

    /// <summary>
    /// Where written pages go: the engine's write-back port. Default none: the volume is only read. Files are writable if
    /// their map implements <see cref="IWritableExtentMap"/> too.
    /// </summary>
    public IPlacementEngine? Placement { get; set; }

    /// <summary>Checksums of pages: verified after each read, sealed before each write. Default none.</summary>
    public IPageSeal? Seal { get; set; }
}
