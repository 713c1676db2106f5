using SharedPageCache.Concurrency;

namespace SharedPageCache;

/// <content>Files that stay as they are.</content>
public sealed partial class MappedFile
{
    /// <summary>Whether the file is sealed: see <see cref="Seal"/>.</summary>
    public bool IsSealed => _mapping.IsSealed;

    /// <summary>
    /// Seals the file: from the return on, nobody changes what it shows, through whichever handle. Constant time, no I/O, no wait for
    /// anything but writes that are just being shown. There is no way back while the file is open; a clone of it can be written.
    /// </summary>
    /// <remarks>
    /// <para>
    /// Writes (also around the cache, and commits of leases for writing), another length, holes, ranges into it, and merges onto it are refused with
    /// <see cref="NotSupportedException"/>. One that is under way comes before the seal or is refused, each as a whole as far as a clone would
    /// have it as a whole (<see cref="MaxAtomicWrite"/>): of a longer one what was done by then stays.
    /// </para>
    /// <para>
    /// What is dirty stays dirty and is written back as before; flush, close, clone, merge into another file and <see cref="Delete"/> go on.
    /// The seal is a matter of the cache and is not written down: when the last handle is closed and nothing of the file is dirty it
    /// is forgotten, and the engine opens the file with <see cref="FileOpenOptions.IsSealed"/> again. It keeps nobody from discarding
    /// or relocating blocks, nor the engine from changing its extents.
    /// </para>
    /// <para>
    /// A snapshot is a sealed clone: <c>file.Clone(new FileOpenOptions { IsSealed = true })</c>.
    /// </para>
    /// </remarks>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public void Seal()
    {
        EngineCode.ThrowIfInCallback();
        ThrowIfUnusable(0);
        _mapping.Seal();
    }
}
