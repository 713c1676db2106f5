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
            if (_origin is WritableReflinkFile written)
            {
                written.Revalidate();
            }
            else
            {
                _origin.Volume.Refresh(_origin);
            }
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
    /// <param name="path">The name of the clone, on the same file system. It comes into being when the clone is whole, and is durable when the call returns.</param>
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
        ThrowIfNotWritable();
        var target = OriginFile.CreateUnnamed(path);
        if (target.FileSystem.Identity != _origin.Volume.Cached.Id)
        {
            target.Handle.Dispose();
            throw new IOException($"'{target.Path}' lies on another file system than '{Path}'.");
        }

        return _store.AdoptClone(await CloneIntoAsync(new CloneTarget(target, null), cancellationToken).ConfigureAwait(false), hasName: false);
    }

    /// <summary>
    /// Clones the file as <see cref="CloneAsync"/> does, without a name and without waiting for anything to be made durable. While nothing
    /// of the file is dirty that is little more than the system call (FICLONE).
    /// </summary>
    /// <remarks>
    /// The clone is a file like any other in the cache, and in no folder: it is gone when it is closed, or with a crash. <see cref="TakePassingName"/>, <see cref="MakeDurable()"/> and <see cref="TakeName"/>
    /// give it names, in this order; each does what those before it have not done. From the first on a crash may leave a file with the passing name, which need not be whole.
    /// </remarks>
    /// <param name="path">The name that the clone is meant for, on the same file system.</param>
    /// <param name="passingName">A name that nobody has, in the same folder: file systems make nothing durable of a file that has none.</param>
    /// <param name="cancellationToken">Cancels waits.</param>
    /// <returns>A handle on the clone, open for writing in the same domain, to be disposed by the caller.</returns>
    /// <exception cref="NotSupportedException">This file is not open for writing.</exception>
    /// <exception cref="CacheWritebackException">What is dirty could not be written back; there is no clone.</exception>
    /// <exception cref="IOException">The name lies on another file system, or the file system failed.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    /// <exception cref="ObjectDisposedException">The handle is disposed.</exception>
    public async ValueTask<ReflinkedFile> CloneForLaterAsync(string path, string passingName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentException.ThrowIfNullOrEmpty(passingName);
        var file = ThrowIfNotWritable();
        (path, passingName) = (System.IO.Path.GetFullPath(path), System.IO.Path.GetFullPath(passingName));
        var target = new CloneTarget(file.Volume.Spares.Take(path, file), passingName);
        return _store.AdoptClone(await CloneIntoAsync(target, cancellationToken).ConfigureAwait(false), hasName: true);
    }

    /// <summary>
    /// Makes the content durable, as <see cref="MakeDurable()"/>, of many clones that were made by <see cref="CloneForLaterAsync"/>: from sixteen of a file system on by one flush of it, which takes with it whatever
    /// else was written there.
    /// </summary>
    /// <param name="clones">The clones.</param>
    /// <inheritdoc cref="MakeDurable()" path="/exception"/>
    public static void MakeDurable(IEnumerable<ReflinkedFile> clones)
    {
        ArgumentNullException.ThrowIfNull(clones);
        List<ReflinkedFile> files = [.. clones];
        files.ForEach(static file => file.ThrowIfDisposed());
        foreach (var volume in files.Select(static file => file._origin).OfType<WritableReflinkFile>().Where(static file => file.OwesDurability).GroupBy(static file => file.Volume))
        {
            WritableReflinkFile.MakeDurable([.. volume]);
        }
    }

    /// <summary>
    /// Gives a clone that was made by <see cref="CloneForLaterAsync"/> its passing name. Of any other file, and of one that has a name, nothing is done. Neither is durable before <see cref="MakeDurable()"/>.
    /// </summary>
    /// <exception cref="IOException">The name is taken, or the file system failed; it can be tried again.</exception>
    /// <exception cref="ReflinkFileChangedException">Somebody else has changed the file.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    /// <exception cref="ObjectDisposedException">The handle is disposed.</exception>
    public void TakePassingName()
    {
        ThrowIfDisposed();
        (_origin as WritableReflinkFile)?.TakePassingName();
    }

    /// <summary>
    /// Makes the content durable, under its passing name, that a clone that was made by <see cref="CloneForLaterAsync"/> began with, if it is not yet; what was written since need not be. Of any
    /// other file nothing is done.
    /// </summary>
    /// <exception cref="IOException">The passing name is taken, or the file system failed; it can be tried again.</exception>
    /// <exception cref="ReflinkFileChangedException">Somebody else has changed the file.</exception>
    /// <exception cref="ObjectDisposedException">The handle is disposed.</exception>
    public void MakeDurable()
    {
        ThrowIfDisposed();
        (_origin as WritableReflinkFile)?.MakeDurable();
    }

    /// <summary>
    /// Gives a clone that was made by <see cref="CloneForLaterAsync"/> the name that it is meant for, when the content that it began with is durable. Of any other
    /// file, and of one that has its name, nothing is done. The name is durable when its folder is flushed.
    /// </summary>
    /// <exception cref="IOException">The name, or the passing name, is taken, or the file system failed; it can be tried again.</exception>
    /// <exception cref="ReflinkFileChangedException">Somebody else has changed the file.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    /// <exception cref="ObjectDisposedException">The handle is disposed.</exception>
    public void TakeName()
    {
        ThrowIfDisposed();
        (_origin as WritableReflinkFile)?.TakeName();
    }

    /// <summary>
    /// Makes a range of this file what a range of another one is, or of this one: whole pages by the file system (FICLONERANGE), so that both
    /// files show the same blocks, on disk and in memory, until one of them is written. All of it or nothing.
    /// </summary>
    /// <remarks>
    /// <para>
    /// What is dirty in the source is written back first. The range is what the source holds at one moment: it is taken from a clone without a name, which
    /// is made for the call and costs time in proportion to the extents of the source.
    /// </para>
    /// <para>
    /// This file shows the range from one moment on, as with <see cref="MappedFile.CloneRange"/>: a clone of it, and whoever reads one page, has all or nothing of it, and if the call fails nothing has
    /// changed. The file system shares the range when the file is flushed, or in the background; until then what is read of it by this file is read from the clone without a name, once more.
    /// If the file system cannot (the disk is full) the flush fails, and a later one tries again. Between files that it never shares, for one of them is not copied on write, the range is copied.
    /// </para>
    /// <para>
    /// Pages are shared if both offsets lie equally in their pages; parts of a page at both ends are copied, and everything is if the offsets lie
    /// differently, at most <see cref="MappedFile.MaxAtomicWrite"/> bytes in one call. The ranges may overlap.
    /// </para>
    /// </remarks>
    /// <param name="source">The file to take the range from, open for writing on the same file system; it may be this one.</param>
    /// <param name="sourceOffset">First byte in the source, 0 or more.</param>
    /// <param name="destinationOffset">First byte in this file, 0 or more. A file that is shorter reads zero up to there.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the source.</param>
    /// <param name="cancellationToken">Cancels waits; nothing has changed then.</param>
    /// <returns>The number of bytes: the length, or fewer at the end of the source, 0 at or behind it.</returns>
    /// <exception cref="ArgumentException">The source lies on another file system, or is of another store.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An offset or the length is negative, or the end is beyond the longest file.</exception>
    /// <exception cref="NotSupportedException">One of the files is not open for writing, or this one is sealed.</exception>
    /// <exception cref="CacheCapacityException">More would have to be copied in one step than may be.</exception>
    /// <exception cref="CacheWritebackException">What is dirty in the source could not be written back, or there is no room for what is copied.</exception>
    /// <exception cref="PageLoadException">A page that is copied in part could not be loaded.</exception>
    /// <exception cref="IOException">No clone of the source could be made.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission to make files in the source's folder.</exception>
    /// <exception cref="ObjectDisposedException">One of the handles is disposed.</exception>
    public async ValueTask<long> CloneRangeAsync(
        ReflinkedFile source, long sourceOffset, long destinationOffset, long length, CancellationToken cancellationToken = default)
    {
        ThrowIfNoRange(source, sourceOffset, destinationOffset, length);
        var snapshot = await RangeSnapshot.TakeAsync(source.File, cancellationToken).ConfigureAwait(false);
        try
        {
            return await File.CloneRangeAsync(snapshot.Mapped, sourceOffset, destinationOffset, length, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            snapshot.Release();
        }
    }

    /// <summary>
    /// Shares the blocks of two ranges that hold the same bytes, from their beginning on to the first difference: the file system compares them under its lock (FIDEDUPERANGE). Never changes what either
    /// file shows, nor its length.
    /// </summary>
    /// <remarks>
    /// What is dirty in both ranges is written back first; what is written meanwhile is not shared. Both offsets must lie equally in their blocks, else nothing can be shared; a part of a block at either end is left
    /// alone, unless both files end there. Cached pages of this file's old blocks leave the cache if nobody else shows these, and the next read finds the source's.
    /// </remarks>
    /// <param name="source">The file whose blocks stay, open for writing on the same file system; it may be this one if the ranges do not overlap.</param>
    /// <param name="sourceOffset">First byte in the source, 0 or more.</param>
    /// <param name="destinationOffset">First byte in this file, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of both files.</param>
    /// <param name="cancellationToken">Cancels waits, and ends between two steps of 16 MiB; what was shared by then stays shared.</param>
    /// <returns>How many bytes of the range are shared now.</returns>
    /// <exception cref="ArgumentException">The source lies on another file system, or is of another store, or the ranges overlap in this file.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An offset or the length is negative.</exception>
    /// <exception cref="NotSupportedException">One of the files is not open for writing, or this one is sealed.</exception>
    /// <exception cref="CacheWritebackException">What is dirty could not be written back; nothing was shared.</exception>
    /// <exception cref="ReflinkFileChangedException">Somebody else has changed one of the files.</exception>
    /// <exception cref="IOException">The file system failed; what was shared by then stays shared.</exception>
    /// <exception cref="ObjectDisposedException">One of the handles is disposed.</exception>
    public async ValueTask<long> DedupeAsync(
        ReflinkedFile source, long sourceOffset, long destinationOffset, long length, CancellationToken cancellationToken = default)
    {
        ThrowIfNoRange(source, sourceOffset, destinationOffset, length);
        if (!File.CanWrite)
        {
            throw new NotSupportedException($"'{Path}' cannot be written: it is sealed.");
        }

        length = Math.Min(length, Math.Min(source.File.Length - sourceOffset, File.Length - destinationOffset));
        if (source._origin == _origin && Math.Abs(sourceOffset - destinationOffset) < length)
        {
            throw new ArgumentException($"The ranges of {length} bytes at {sourceOffset} and at {destinationOffset} of '{Path}' overlap.", nameof(source));
        }

        if (length <= 0)
        {
            return 0;
        }

        await source.File.FlushAsync(sourceOffset, length, cancellationToken).ConfigureAwait(false);
        await File.FlushAsync(destinationOffset, length, cancellationToken).ConfigureAwait(false);
        var (from, file) = ((WritableReflinkFile)source._origin, (WritableReflinkFile)_origin);
        return await Task.Run(() => file.Dedupe(from, sourceOffset, destinationOffset, length, cancellationToken), CancellationToken.None).ConfigureAwait(false);
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

    private async ValueTask<MappedFile> CloneIntoAsync(CloneTarget target, CancellationToken cancellationToken)
    {
        try
        {
            // Seen by the engine, which is called in this flow of control and no other.
            WritableReflinkFile.UseForClone(target);
            return await File.CloneAsync(
                new FileOpenOptions { Id = target.Origin.Key.Id, Name = target.Origin.Path, Domain = File.Domain }, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            target.GiveUp();
            throw;
        }
        finally
        {
            WritableReflinkFile.UseForClone(null);
        }
    }

    private WritableReflinkFile ThrowIfNotWritable()
    {
        ThrowIfDisposed();
        return _origin as WritableReflinkFile ?? throw new NotSupportedException(
            $"'{Path}' is open for reading only, and is cloned by any program that makes reflinks.");
    }

    private void ThrowIfNoRange(ReflinkedFile source, long sourceOffset, long destinationOffset, long length)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegative(sourceOffset);
        ArgumentOutOfRangeException.ThrowIfNegative(destinationOffset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ThrowIfDisposed();
        source.ThrowIfDisposed();
        foreach (var file in (ReflinkedFile[])[this, source])
        {
            if (file._origin is not WritableReflinkFile)
            {
                throw new NotSupportedException($"'{file.Path}' is open for reading only.");
            }
        }

        if (source._origin.Volume != _origin.Volume)
        {
            throw new ArgumentException($"'{source.Path}' lies on another file system than '{Path}', or is of another store.", nameof(source));
        }
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed) != 0, this);
}
