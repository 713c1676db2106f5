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
public sealed class ReflinkStore : IDisposable
{
    private const int Attempts = 5;

    private static readonly ConditionalWeakTable<PageCache, ReflinkStore> StoreOf = [];

    private readonly Lock _lock = new();
    private readonly Dictionary<VolumeId, ReflinkVolume> _volumes = [];
    private readonly HashSet<ReflinkedFile> _handles = [];
    private readonly ReflinkChangeCheck _check;
    private bool _isDisposed;

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
    public ReflinkedFile Open(string path, SecurityDomain domain = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ThrowIfDisposed();
        var origin = OriginFile.Open(path);
        ReflinkFile file;
        try
        {
            file = Admit(origin, domain);
        }
        catch
        {
            origin.Handle.Dispose();
            throw;
        }

        return OpenHandle(file);
    }

    /// <summary>Closes all handles that are still open and detaches the volumes. The cache itself stays.</summary>
    public void Dispose()
    {
        ReflinkedFile[] handles;
        ReflinkVolume[] volumes;
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            handles = [.. _handles];
            volumes = [.. _volumes.Values];
        }

        foreach (var handle in handles)
        {
            handle.Dispose();
        }

        foreach (var volume in volumes)
        {
            volume.Cached.Dispose();
        }

        StoreOf.Remove(Cache);
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

    private ReflinkFile Admit(OriginFile origin, SecurityDomain domain)
    {
        var volume = VolumeOf(origin);
        for (var attempt = 1; ; attempt++)
        {
            var snapshot = FileSnapshot.Take(origin.Handle, origin.Path, volume.BlockSize);
            if (volume.Admit(origin, snapshot, domain) is { } file)
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

    private ReflinkVolume VolumeOf(OriginFile origin)
    {
        lock (_lock)
        {
            ThrowIfDisposed();
            if (!_volumes.TryGetValue(origin.FileSystem.Identity, out var volume))
            {
                volume = new ReflinkVolume(Cache, origin.FileSystem, _check);
                _volumes.Add(origin.FileSystem.Identity, volume);
            }

            return volume;
        }
    }

    private ReflinkedFile OpenHandle(ReflinkFile file)
    {
        MappedFile? mapped = null;
        try
        {
            var options = new FileOpenOptions { Id = file.Id, Name = file.Path, Domain = file.Domain };
            mapped = file.Volume.Cached.OpenFile(file, file.Table.Length, options);
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
