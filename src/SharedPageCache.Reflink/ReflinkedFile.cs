using System.Diagnostics;

namespace SharedPageCache.Reflink;

/// <summary>
/// A handle on a reflinked file that is open in a cache: the mapped file and the descriptor that its blocks are read
/// through.
/// </summary>
/// <remarks>
/// <para>
/// Thread safe. Clones made with <see cref="MappedFile.Clone"/> read through the same descriptor: dispose them first.
/// After the last handle of an inode is disposed, they are refused.
/// </para>
/// <para>
/// The file shows the content that it had when it was opened. Pages that are cached and holes are shown without a look at
/// the file; each read from the device and each first look at a part of the file compares size and times with those of
/// the opening. Once a change was found, the file is refused as a whole, cached pages too.
/// </para>
/// </remarks>
[DebuggerDisplay("{Path,nq} ({File.Length} bytes)")]
public sealed class ReflinkedFile : IDisposable
{
    private readonly ReflinkStore _store;
    private readonly ReflinkFile _origin;
    private int _isDisposed;

    internal ReflinkedFile(ReflinkStore store, ReflinkFile origin, MappedFile file)
    {
        _store = store;
        _origin = origin;
        File = file;
    }

    /// <summary>The file in the cache.</summary>
    public MappedFile File { get; }

    /// <summary>The full path under which the file was first opened.</summary>
    public string Path => _origin.Path;

    /// <summary>
    /// Asks the file system where the file lies, at this moment. Costs a system call and time in proportion to the extents.
    /// </summary>
    /// <returns>The extents in file order; ranges that none of them covers are holes.</returns>
    /// <exception cref="IOException">The file system failed.</exception>
    /// <exception cref="ObjectDisposedException">The handle is disposed.</exception>
    public IReadOnlyList<PhysicalExtent> GetPhysicalExtents()
    {
        ThrowIfDisposed();
        return _origin.QueryExtents(0, long.MaxValue, sync: true);
    }

    /// <summary>
    /// Makes sure that the file still is what was opened: writes its dirty pages back, and compares size, times and
    /// extents. Blocks that the file system has moved without changing the content (defragmentation, deduplication,
    /// balancing) are followed.
    /// </summary>
    /// <exception cref="ReflinkFileChangedException">The file has changed; every further read of it is refused.</exception>
    /// <exception cref="IOException">The file system failed.</exception>
    /// <exception cref="ObjectDisposedException">The handle is disposed.</exception>
    public void Revalidate()
    {
        ThrowIfDisposed();
        try
        {
            _origin.Volume.Refresh(_origin);
        }
        catch (ReflinkFileChangedException)
        {
            _origin.Volume.Invalidate(_origin);
            throw;
        }
    }

    /// <summary>
    /// Closes the handle. With the last handle of an inode its descriptor is closed, and blocks that no other open file
    /// shows leave the cache; pages under a lease stay readable.
    /// </summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }

        File.Dispose();
        _origin.Volume.Release(_origin, this);
        _store.Forget(this);
    }

    /// <inheritdoc/>
    public override string ToString() => Path;

    internal ReflinkFile Origin => _origin;

    /// <summary>Drops all pages from the view, so that the next read of each asks the origin.</summary>
    internal void InvalidatePages()
    {
        try
        {
            File.InvalidateExtents(0, File.Length);
        }
        catch (ObjectDisposedException)
        {
            // Closed meanwhile: nothing can be read through it any more.
        }
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed) != 0, this);
}
