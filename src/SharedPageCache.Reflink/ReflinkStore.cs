using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

namespace SharedPageCache.Reflink;

/// <summary>
/// Opens files of XFS and btrfs in a cache, by the blocks they lie in: files that share blocks on disk share pages in
/// memory, and the kernel's own page cache is left out.
/// </summary>
/// <remarks>
/// <para>
/// Thread safe. One store for each cache. A file system becomes a volume of the cache when its first file is opened, and
/// stays one until the store is disposed. No root is needed: permission to read the files is enough.
/// </para>
/// <para>
/// The files may be cloned, linked and deleted by others while they are open here. A file that somebody writes to is
/// refused from the moment the change is noticed, see <see cref="ReflinkedFile"/>; writers that had the file open before,
/// with unbuffered writes under way during <see cref="Open"/>, cannot be noticed. Open what nobody writes to.
/// </para>
/// </remarks>
/// <example>
/// <code>
/// using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 1L &lt;&lt; 30 });
/// using var store = new ReflinkStore(cache);
/// using var image = store.Open("/images/one.img");
/// var read = image.File.Read(0, buffer);
/// </code>
/// </example>
[DebuggerDisplay("{ToString(),nq}")]
public sealed class ReflinkStore : IDisposable, IAsyncDisposable
{
    private const int Attempts = 5;

    private static readonly ConditionalWeakTable<PageCache, ReflinkStore> StoreOf = [];

    private readonly Lock _lock = new();
    private readonly Dictionary<VolumeId, ReflinkVolume> _volumes = [];
    private readonly HashSet<ReflinkedFile> _handles = [];
    private readonly ReflinkChangeCheck _check;
    private readonly bool _allowsWriting;
    private bool _isDisposed;
    private bool _isClosed;

    /// <summary>Makes the store of a cache.</summary>
    /// <param name="cache">The cache; it is not disposed with the store and must be disposed after it.</param>
    /// <param name="options">How the store works, or null for the defaults.</param>
    /// <exception cref="PlatformNotSupportedException">Not 64-bit Linux.</exception>
    /// <exception cref="InvalidOperationException">The cache has a store already.</exception>
    /// <exception cref="ArgumentException">An option has no meaning.</exception>
    [SupportedOSPlatform("linux")]
    public ReflinkStore(PageCache cache, ReflinkStoreOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(cache);
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess)
        {
            throw new PlatformNotSupportedException("Reflinked files are opened on 64-bit Linux only.");
        }

        _check = options?.ChangeCheck ?? ReflinkChangeCheck.ChangeTime;
        if (!Enum.IsDefined(_check))
        {
            throw new ArgumentException(
                $"ChangeCheck {(int)_check} does not exist: use ChangeTime or ModificationTime.", nameof(options));
        }

        _allowsWriting = options?.AllowWriting ?? false;
        Cache = cache;
        if (!StoreOf.TryAdd(cache, this))
        {
            throw new InvalidOperationException(
                $"Cache '{cache.Options.Name}' has a ReflinkStore already: use that one. Who shows which block is counted in one place.");
        }
    }

    /// <summary>The cache.</summary>
    public PageCache Cache { get; }

    /// <summary>Says whether a file could be opened by a store, without opening it there.</summary>
    /// <param name="path">A path.</param>
    /// <param name="reason">Why not, as a sentence; null if it could.</param>
    [SupportedOSPlatform("linux")]
    public static bool CanOpen(string path, out string? reason)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            OriginFile.Open(path).Handle.Dispose();
            reason = null;
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            reason = error.Message;
            return false;
        }
    }

    /// <summary>Opens a file for reading.</summary>
    /// <remarks>
    /// <para>
    /// Writes the file's dirty pages back and asks for its extents. Time in proportion to the extents; no content is read.
    /// Opening the same inode again, under any of its names, gives another handle on the same tree of pages.
    /// </para>
    /// <para>
    /// What the file system cannot name by blocks (compressed, inline or not yet placed bytes) is read through the file and
    /// cached for it alone.
    /// </para>
    /// </remarks>
    /// <param name="path">The path of a regular file on XFS or btrfs.</param>
    /// <param name="domain">
    /// The trust domain of the reader. Blocks that files share on disk are shared between domains too.
    /// </param>
    /// <returns>The handle, to be disposed by the caller; the store disposes what is left.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    /// <exception cref="NotSupportedException">Not a regular file, or neither XFS nor btrfs.</exception>
    /// <exception cref="ReflinkFileChangedException">Somebody kept changing the file while it was opened.</exception>
    /// <exception cref="IOException">The file system failed.</exception>
    /// <exception cref="ObjectDisposedException">The store or the cache is disposed.</exception>
    public ReflinkedFile Open(string path, SecurityDomain domain = default) => OpenFile(path, domain, writes: false);

    /// <summary>Opens a file for reading and writing.</summary>
    /// <remarks>
    /// <para>
    /// What is written is dirty in the cache until a flush, or the background, writes it to the file; the file system
    /// chooses the blocks, and pages stay cached. Clone such a file with <see cref="ReflinkedFile.CloneAsync"/>. Opening it
    /// again, also by <see cref="Open"/>, gives another handle on the same tree of pages, which can write too.
    /// </para>
    /// <para>
    /// Nobody else may write to the file meanwhile. Who does is noticed as for files that are read, but not while this
    /// process itself is writing.
    /// </para>
    /// </remarks>
    /// <param name="path">The path of a regular file on XFS or btrfs.</param>
    /// <param name="domain">The trust domain of the file.</param>
    /// <returns>The handle, to be disposed by the caller.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    /// <exception cref="NotSupportedException">
    /// Not a regular file, neither XFS nor btrfs, or the cache's pages are smaller than the file system's blocks.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// The store's options do not allow writing, or the file is open for reading, or in another domain.
    /// </exception>
    /// <exception cref="ReflinkFileChangedException">Somebody else has changed the file, or keeps changing it.</exception>
    /// <exception cref="IOException">The file system failed.</exception>
    /// <exception cref="ObjectDisposedException">The store or the cache is disposed.</exception>
    public ReflinkedFile OpenForWriting(string path, SecurityDomain domain = default) =>
        _allowsWriting
            ? OpenFile(path, domain, writes: true)
            : throw new InvalidOperationException($"The store was made for reading only: set {nameof(ReflinkStoreOptions)}.{nameof(ReflinkStoreOptions.AllowWriting)}.");

    /// <summary>
    /// Closes all handles that are still open and detaches the volumes. The cache itself stays. What is dirty is written
    /// back before; what cannot be is lost, and only <see cref="DisposeAsync"/> says so.
    /// </summary>
    public void Dispose() => CloseVolumes(CloseHandles());

    /// <summary>Writes back what is dirty, then closes the store.</summary>
    /// <exception cref="CacheWritebackException">
    /// Something could not be written back. The handles are closed; the volumes stay attached, so that it can be tried again.
    /// </exception>
    public async ValueTask DisposeAsync()
    {
        var volumes = CloseHandles();
        foreach (var volume in volumes)
        {
            await volume.Cached.FlushAsync().ConfigureAwait(false);
        }

        CloseVolumes(volumes);
    }

    /// <inheritdoc/>
    public override string ToString() => $"reflink store of cache '{Cache.Options.Name}'";

    internal void Forget(ReflinkedFile handle)
    {
        lock (_lock)
        {
            _handles.Remove(handle);
        }
    }

    /// <summary>Checks the bookkeeping of all volumes.</summary>
    internal void Verify()
    {
        ReflinkVolume[] volumes;
        lock (_lock)
        {
            volumes = [.. _volumes.Values];
        }

        foreach (var volume in volumes)
        {
            volume.Verify();
        }
    }

    /// <summary>Makes the handle of a clone that was just made, and gives the clone its name if it has none.</summary>
    internal ReflinkedFile AdoptClone(MappedFile mapped, bool hasName)
    {
        var file = (ReflinkFile)mapped.Extents;
        try
        {
            if (!hasName)
            {
                ((WritableReflinkFile)file).TakeFirstName();
            }
        }
        catch
        {
            mapped.Dispose();
            file.Volume.Release(file, handle: null);
            throw;
        }

        return OpenHandle(file, mapped);
    }

    private ReflinkedFile OpenFile(string path, SecurityDomain domain, bool writes)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ThrowIfDisposed();
        var origin = OriginFile.Open(path, writes ? FileAccess.ReadWrite : FileAccess.Read);
        ReflinkFile file;
        try
        {
            file = Admit(origin, domain, writes);
        }
        catch
        {
            origin.Handle.Dispose();
            throw;
        }

        return OpenHandle(file, mapped: null);
    }

    private ReflinkFile Admit(OriginFile origin, SecurityDomain domain, bool writes)
    {
        var volume = VolumeOf(origin);
        if (writes && volume.Placement is null)
        {
            throw new NotSupportedException(
                $"'{origin.Path}' cannot be written: the cache's pages of {Cache.Options.PageSize} bytes are smaller than the blocks of {volume.BlockSize}.");
        }

        for (var attempt = 1; ; attempt++)
        {
            if (volume.Join(origin, domain, writes) is { } open)
            {
                return open;
            }

            var snapshot = FileSnapshot.Take(origin.Handle, origin.Path, volume.BlockSize);
            var file = writes ? volume.AdmitForWriting(origin, snapshot, domain) : volume.Admit(origin, snapshot, domain);
            if (file is not null)
            {
                return file;
            }

            if (attempt == Attempts)
            {
                throw new ReflinkFileChangedException(
                    origin.Path, ReflinkChanges.ModificationTime, "somebody keeps changing it");
            }
        }
    }

    private ReflinkVolume[] CloseHandles()
    {
        ReflinkedFile[] handles;
        ReflinkVolume[] volumes;
        lock (_lock)
        {
            _isDisposed = true;
            handles = [.. _handles];
            volumes = [.. _volumes.Values];
        }

        foreach (var handle in handles)
        {
            handle.Dispose();
        }

        return volumes;
    }

    private void CloseVolumes(ReflinkVolume[] volumes)
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
        }

        foreach (var volume in volumes)
        {
            volume.Cached.Dispose();
            volume.CloseAll();
        }

        StoreOf.Remove(Cache);
    }

    private ReflinkVolume VolumeOf(OriginFile origin)
    {
        lock (_lock)
        {
            ThrowIfDisposed();
            if (!_volumes.TryGetValue(origin.FileSystem.Identity, out var volume))
            {
                volume = new ReflinkVolume(Cache, origin.FileSystem, _check, _allowsWriting);
                _volumes.Add(origin.FileSystem.Identity, volume);
            }

            return volume;
        }
    }

    private ReflinkedFile OpenHandle(ReflinkFile file, MappedFile? mapped)
    {
        try
        {
            mapped ??= file.Volume.OpenMapping(file);
            (file as WritableReflinkFile)?.Keep();
            var handle = new ReflinkedFile(this, file, mapped);
            lock (_lock)
            {
                ThrowIfDisposed();
                _handles.Add(handle);
            }

            file.Volume.AddHandle(file, handle);
            return handle;
        }
        catch
        {
            mapped?.Dispose();
            file.Volume.Release(file, handle: null);
            throw;
        }
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed), this);
}
