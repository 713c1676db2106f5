using System.Diagnostics;
using SharedPageCache.Cow.Checking;
using SharedPageCache.Cow.Disk;
using SharedPageCache.Cow.Space;
using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow;

/// <summary>
/// A copy-on-write storage engine in one file: named files made of extents, clones in constant time, crash-safe commits.
/// Small, and meant to be read and copied by those who write an engine for the cache.
/// </summary>
/// <remarks>
/// <para>
/// Thread-safe. All metadata is in memory while the volume is open (eight bytes for each block of a file, once for all
/// clones), because the hooks that the cache calls may do no I/O. Content is read and written by the cache alone.
/// </para>
/// <para>
/// <b>What is durable.</b> A state of the volume becomes durable as a whole, by <see cref="CommitAsync"/>, which
/// <c>MappedFile.FlushAsync</c> reaches through the placement port. After a crash the volume opens in the state of the
/// last commit that was acknowledged, or of one that had begun after it. <see cref="Dispose"/> does not commit.
/// </para>
/// </remarks>
/// <example>
/// <code>
/// using var volume = CowVolume.Create("/data/images.cow", new CowVolumeOptions { CapacityBytes = 10L &lt;&lt; 30 });
/// using var attached = volume.Attach(cache);
/// var golden = volume.CreateFile("golden");
/// using var mapped = attached.OpenFile(golden, golden.Length, new FileOpenOptions { Id = golden.Id, Name = golden.Name });
/// // ... write, flush ...
/// using var vm = golden.Clone("vm-1");
/// await volume.CommitAsync();
/// </code>
/// </example>
[DebuggerDisplay("{Name,nq}, generation {_committer.Durable.Generation}")]
public sealed class CowVolume : IDisposable, IAsyncDisposable
{
    internal const long LongestFile = 1L << 56;

    private readonly BlockStore _store;
    private readonly VolumeState _state;
    private readonly Committer _committer;
    private readonly CowPlacement _placement;
    private readonly IDisposable? _ownDevice;
    private CachedVolume[] _attached = [];

    private CowVolume(BlockStore store, Superblock superblock, TreeLoader loaded, TreeShape shape, string? name, CowVolumeOptions options, IDisposable? ownDevice)
    {
        _store = store;
        _ownDevice = ownDevice;
        Id = superblock.Id;
        Name = options.Name ?? name ?? superblock.Id.ToString();
        _state = new VolumeState(Name, superblock, loaded, shape);
        _committer = new Committer(_state, store, superblock, Discard);
        _placement = new CowPlacement(_state, _committer, store.BlockSize, options.EnsureDurable);
    }

    /// <summary>The volume's identity: given when it was created, kept on disk.</summary>
    public VolumeId Id { get; }

    /// <summary>The volume's name in messages.</summary>
    public string Name { get; }

    /// <summary>The block size in bytes.</summary>
    public int BlockSize => _store.BlockSize;

    /// <summary>The device that the volume lies on; block runs are bytes of it.</summary>
    public IBlockDevice BlockDevice => _store.Device;

    /// <summary>The write-back port: what the cache asks where dirty pages go.</summary>
    public IPlacementEngine Placement => _placement;

    /// <summary>The directory at this moment, in the order of the names.</summary>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public IReadOnlyList<FileEntry> Files
    {
        get
        {
            lock (_state.Lock)
            {
                _state.ThrowIfDisposed();
                return [.. _state.Names
                    .OrderBy(static entry => entry.Key, StringComparer.Ordinal)
                    .Select(static entry => new FileEntry(entry.Key, entry.Value.Id, entry.Value.Length))];
            }
        }
    }

    /// <summary>Creates a volume in a new file.</summary>
    /// <param name="path">The file, which must not exist.</param>
    /// <param name="options">Block size and capacity; null for the defaults.</param>
    /// <returns>The open volume, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">The path is empty, or block size or capacity are not allowed.</exception>
    /// <exception cref="VolumeLockedException">Somebody has opened the new file in between.</exception>
    /// <exception cref="IOException">The file exists or cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public static CowVolume Create(string path, CowVolumeOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new CowVolumeOptions();
        var device = VolumeOpening.CreateFile(path, options);
        try
        {
            return OpenOwn(device, path, options, isNew: true);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Creates a volume on a device; what was on it is lost.</summary>
    /// <param name="device">The device, whose block size becomes the volume's. It is not disposed with the volume.</param>
    /// <param name="options">Name and log; null for the defaults.</param>
    /// <returns>The open volume, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">The device is too small, or its block size is not allowed.</exception>
    /// <exception cref="IOException">The device cannot be written.</exception>
    public static CowVolume Create(IBlockDevice device, CowVolumeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        return Open(device, null, options ?? new CowVolumeOptions(), isNew: true, ownDevice: null);
    }

    /// <summary>Opens the volume in a file, in the newest state that is whole.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <returns>The open volume, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="VolumeLockedException">The volume is open already, in this process or in another one.</exception>
    /// <exception cref="VolumeCorruptException">This is no volume, or its metadata has been damaged.</exception>
    /// <exception cref="IOException">The file cannot be read or written.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public static CowVolume Open(string path, CowVolumeOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new CowVolumeOptions();
        return OpenOwn(VolumeOpening.OpenFile(path, options), path, options, isNew: false);
    }

    /// <summary>Opens the volume on a device, in the newest state that is whole.</summary>
    /// <param name="device">The device. It is not disposed with the volume, and the caller keeps others away from it.</param>
    /// <param name="options">Name and log; null for the defaults.</param>
    /// <returns>The open volume, which the caller disposes.</returns>
    /// <exception cref="VolumeCorruptException">This is no volume, or its metadata has been damaged.</exception>
    /// <exception cref="IOException">The device cannot be read or written.</exception>
    public static CowVolume Open(IBlockDevice device, CowVolumeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        return Open(device, null, options ?? new CowVolumeOptions(), isNew: false, ownDevice: null);
    }

    /// <summary>Attaches the volume to a cache. The cache is told to discard blocks before they are used again.</summary>
    /// <param name="cache">The cache, whose page size is a multiple of the block size.</param>
    /// <returns>The volume as the cache sees it, for opening files; the caller disposes it before this volume.</returns>
    /// <exception cref="ArgumentException">The page size is no multiple of the block size, or the cache has the volume already.</exception>
    /// <exception cref="ObjectDisposedException">The volume or the cache is closed.</exception>
    public CachedVolume Attach(PageCache cache)
    {
        ArgumentNullException.ThrowIfNull(cache);
        var pageSize = cache.Options.PageSize;
        if (pageSize % BlockSize != 0)
        {
            throw new ArgumentException(
                $"The cache's page size {pageSize} is no multiple of the block size {BlockSize}: a block is never written in part.", nameof(cache));
        }

        lock (_state.Lock)
        {
            _state.ThrowIfDisposed();
        }

        _placement.UsePages(pageSize);

        var attached = cache.AttachVolume(BlockDevice, new VolumeOptions { Id = Id, Name = Name, Placement = Placement });
        lock (_state.Lock)
        {
            _attached = [.. _attached, attached];
        }

        return attached;
    }

    /// <summary>Creates an empty file.</summary>
    /// <param name="name">Its name: 1 to 255 bytes of UTF-8.</param>
    /// <returns>The file.</returns>
    /// <exception cref="ArgumentException">The name cannot be one.</exception>
    /// <exception cref="IOException">A file has the name already.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public CowFile CreateFile(string name)
    {
        FileName.Check(name);
        lock (_state.Lock)
        {
            _state.ThrowIfDisposed();
            FileName.CheckFree(_state, name);
            var file = _state.Add(new CowFile(_state, _state.TakeNumber(), null, 0, FileTree.Empty) { IsOpen = true });
            _state.Bind(name, file);
            return file;
        }
    }

    /// <summary>Opens a file by name.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The file: the same object for all who open it.</returns>
    /// <exception cref="FileNotFoundException">No file has the name.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public CowFile OpenFile(string name) =>
        TryOpenFile(name, out var file)
            ? file
            : throw new FileNotFoundException($"The volume {Name} has no file named '{name}'.", name);

    /// <summary>Opens a file by name, if there is one.</summary>
    /// <param name="name">The name.</param>
    /// <param name="file">The file: the same object for all who open it.</param>
    /// <returns>Whether there is one.</returns>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public bool TryOpenFile(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CowFile? file)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_state.Lock)
        {
            _state.ThrowIfDisposed();
            if (_state.Names.TryGetValue(name, out file))
            {
                file.IsOpen = true;
            }

            return file is not null;
        }
    }

    /// <summary>Gives an anonymous file a name, so that the next commit keeps it.</summary>
    /// <param name="file">A clone, or a deleted file.</param>
    /// <param name="name">The name.</param>
    /// <exception cref="ArgumentException">The name cannot be one, or the file is of another volume.</exception>
    /// <exception cref="InvalidOperationException">The file has a name: use <see cref="Rename"/>.</exception>
    /// <exception cref="IOException">A file has the name already.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed, or the file was given up.</exception>
    public void Link(CowFile file, string name)
    {
        ArgumentNullException.ThrowIfNull(file);
        FileName.Check(name);
        if (!file.BelongsTo(_state))
        {
            throw new ArgumentException($"File {file} is of another volume than {Name}.", nameof(file));
        }

        lock (_state.Lock)
        {
            file.ThrowIfGone();
            FileName.CheckFree(_state, name);
            if (file.Name is { } old)
            {
                throw new InvalidOperationException($"File {file} has the name '{old}' already.");
            }

            _state.Bind(name, file);
        }
    }

    /// <summary>Gives a file another name.</summary>
    /// <param name="name">The name that it has.</param>
    /// <param name="newName">The name that it gets.</param>
    /// <exception cref="ArgumentException">The new name cannot be one.</exception>
    /// <exception cref="FileNotFoundException">No file has the name.</exception>
    /// <exception cref="IOException">A file has the new name already.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public void Rename(string name, string newName)
    {
        FileName.Check(newName);
        lock (_state.Lock)
        {
            var file = Find(name);
            FileName.CheckFree(_state, newName);
            _state.Unbind(file);
            _state.Bind(newName, file);
        }
    }

    /// <summary>Deletes a file. If somebody has it open its blocks are given back when it is disposed, else now.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="FileNotFoundException">No file has the name.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public void Delete(string name)
    {
        lock (_state.Lock)
        {
            var file = Find(name);
            _state.Unbind(file);
            if (!file.IsOpen)
            {
                file.Release();
            }
        }
    }

    /// <summary>
    /// Makes everything durable that was published or changed before the call. Callers at the same time share a commit.
    /// If it fails nothing is lost: the changes stay owed, and the next commit tries again.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait, not the commit.</param>
    /// <exception cref="VolumeFullException">There is no room for the metadata.</exception>
    /// <exception cref="IOException">The device failed.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public Task CommitAsync(CancellationToken cancellationToken = default) => _committer.CommitAsync(cancellationToken);

    /// <summary>
    /// Commits, and makes every block free that no file shows. Without this a block that was given up waits for two
    /// commits, so that the older superblock still leads to an intact state. Place does it by itself when room is short.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait, not the work.</param>
    /// <exception cref="IOException">The device failed, or there is no room for the metadata.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public Task ReclaimAsync(CancellationToken cancellationToken = default) => _committer.ReclaimAsync(cancellationToken);

    /// <summary>
    /// Reads all metadata from disk and counts everything again: superblocks, checksums, reference counts, that every
    /// block has one owner, and that nothing is free that a state on disk needs. Waits for a commit under way.
    /// </summary>
    /// <returns>What was found.</returns>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public CheckReport Check()
    {
        using var turn = _committer.Enter();
        lock (_state.Lock)
        {
            _state.ThrowIfDisposed();
        }

        return new VolumeChecker(_state, _store, _committer).Run();
    }

    /// <summary>The volume's figures at this moment.</summary>
    public CowStatistics GetStatistics()
    {
        lock (_state.Lock)
        {
            return new CowStatistics(
                _state.Space.TotalBlocks,
                _state.Space.FreeBlocks,
                _state.Space.PlacedBlocks,
                _state.Space.ShownBlocks,
                _state.Space.PendingBlocks,
                _state.Names.Count,
                _committer.Durable.Generation,
                _committer.Commits,
                _committer.MetadataBlocksWritten,
                _state.Trees.NodesCopied);
        }
    }

    /// <summary>
    /// Closes the volume as a crash would: what was not committed is lost. Waits for a commit under way. Files and clones
    /// are of no more use.
    /// </summary>
    public void Dispose()
    {
        if (TryClose())
        {
            _committer.Enter().Dispose();
            _ownDevice?.Dispose();
        }
    }

    /// <inheritdoc cref="Dispose"/>
    public async ValueTask DisposeAsync()
    {
        if (TryClose())
        {
            (await _committer.EnterAsync().ConfigureAwait(false)).Dispose();
            _ownDevice?.Dispose();
        }
    }

    private static CowVolume OpenOwn(FileBlockDevice device, string path, CowVolumeOptions options, bool isNew)
    {
        try
        {
            return Open(device, path, options, isNew, ownDevice: device);
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    private static CowVolume Open(IBlockDevice device, string? path, CowVolumeOptions options, bool isNew, IDisposable? ownDevice)
    {
        var store = new BlockStore(device);
        if (isNew)
        {
            VolumeOpening.Format(store);
        }

        var shape = new TreeShape(device.BlockSize);
        var (superblock, loaded) = VolumeOpening.Recover(store, shape);
        using (loaded)
        {
            return new CowVolume(store, superblock, loaded, shape, path, options, ownDevice);
        }
    }

    private bool TryClose()
    {
        lock (_state.Lock)
        {
            var isOpen = !_state.IsDisposed;
            _state.Dispose();
            return isOpen;
        }
    }

    private CowFile Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        _state.ThrowIfDisposed();
        return _state.Names.TryGetValue(name, out var file)
            ? file
            : throw new FileNotFoundException($"The volume {Name} has no file named '{name}'.", name);
    }

    /// <summary>Tells every cache that has the volume that blocks will be used again.</summary>
    private void Discard(Run run)
    {
        foreach (var attached in Volatile.Read(ref _attached))
        {
            try
            {
                attached.Discard(new BlockRun(run.Start * BlockSize, run.Count * BlockSize));
            }
            catch (ObjectDisposedException)
            {
                // Detached: it has nothing of the volume any more.
                lock (_state.Lock)
                {
                    _attached = [.. _attached.Where(other => other != attached)];
                }
            }
        }
    }
}
