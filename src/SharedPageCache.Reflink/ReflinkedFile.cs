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
public sealed class ReflinkedFile : IDisposable, IAsyncDisposable
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
    /// Clones the file to a new name, by its file system (FICLONE): what is dirty is written back first. Both files then show
    /// the same blocks, on disk and in memory, until one of them is written.
    /// </summary>
    /// <param name="path">The name of the clone, on the same file system. It comes into being when the clone is whole.</param>
    /// <param name="cancellationToken">Cancels waits.</param>
    /// <returns>A handle on the clone, open for writing in the same domain, to be disposed by the caller.</returns>
    /// <exception cref="NotSupportedException">This file is not open for writing.</exception>
    /// <exception cref="CacheWritebackException">What is dirty could not be written back; there is no clone.</exception>
    /// <exception cref="IOException">The name is taken, lies on another file system, or the file system failed.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    /// <exception cref="ObjectDisposedException">The handle is disposed.</exception>
    public async ValueTask<ReflinkedFile> CloneAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ThrowIfDisposed();
        if (_origin is not WritableReflinkFile)
        {
            throw new NotSupportedException($"'{Path}' is open for reading only, and is cloned by any program that makes reflinks.");
        }

        var target = OriginFile.CreateUnnamed(path);
        MappedFile clone;
        try
        {
            if (target.FileSystem.Identity != _origin.Volume.Cached.Id)
            {
                throw new IOException($"'{target.Path}' lies on another file system than '{Path}'.");
            }

            // Seen by the engine's CloneAsync, which is called in this flow of control and no other.
            WritableReflinkFile.UseForClone(target);
            clone = await File.CloneAsync(
                new FileOpenOptions { Id = target.Key.Id, Name = target.Path, Domain = File.Domain }, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            target.Handle.Dispose();
            throw;
        }
        finally
        {
            WritableReflinkFile.UseForClone(null);
        }

        return _store.AdoptClone(clone, target);
    }

    /// <summary>Writes back what is dirty, then closes the handle.</summary>
    /// <exception cref="CacheWritebackException">
    /// Something could not be written back. The handle is closed; the pages stay dirty, and opening the file again finds them.
    /// </exception>
    public async ValueTask DisposeAsync()
    {
        try
        {
            if (Volatile.Read(ref _isDisposed) == 0 && File.CanWrite && !File.IsClosed)
            {
                await File.FlushAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            Dispose();
        }
    }

    /// <summary>
    /// Closes the handle. With the last handle of an inode its descriptor is closed, and blocks that no other open file
    /// shows leave the cache; pages under a lease stay readable.
    /// </summary>
    /// <remarks>
    /// The last handle of a file that was written blocks until it is written back. If that fails the file stays open behind
    /// the scenes: a flush of the volume tries again, and opening it again finds what is dirty. Of a file that somebody
    /// else has changed, what is dirty is given up.
    /// </remarks>
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
