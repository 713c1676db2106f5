using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Runtime.Versioning;
using SharedPageCache.Cow;
using SharedPageCache.Reflink;
using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Homes;

/// <summary>A directory on XFS or btrfs: every database is an ordinary file, and a branch is a reflink.</summary>
/// <remarks>
/// <para>
/// <b>Content</b> is written by the reflink store: a sync writes dirty pages around the kernel's cache, and the file system makes them durable
/// (fsync). <b>A clone</b> is FICLONE, and before it what is dirty of the file is written back; after a commit nothing is. So unlike in a <see cref="VolumeHome"/> there are
/// system calls, and sometimes I/O, under the catalog's lock and a database's moment, and those who commit wait for them.
/// </para>
/// <para>
/// <b>Names</b> that are taken and lost change in the kernel at once; after a power failure they are those of the last fsync of the
/// directory, or newer. <b>The name of a clone waits</b> for the next <see cref="SyncNames"/>: until then it is a file without a name, and while it is made durable one with a passing name, which a store
/// that is opened deletes. So a crash of the process, or of the machine, leaves a clone whole under its name, or not at all. The names wait in a list (<see cref="ClonesToName"/>), and are given in
/// its order once the content is durable; of a database and what was cloned with it the database is the last, after an fsync.
/// What must not be lost has its new name before the old one goes: renaming is a clone, its name, and the loss of the old one, so that cached pages stay; a crash between them leaves both.
/// </para>
/// <para>
/// <b>Syncs share.</b> A directory that has not changed since its last fsync is not flushed again: two counters, of changes and of
/// what of them is durable, the second under the lock of the flush, so that whoever finds nothing to do knows that it is done.
/// </para>
/// <para>
/// Beside the databases there are files whose names begin with <see cref="DatabaseName.OwnPrefix"/>: the lock, which one
/// process holds open alone; an empty file, by which the file system is looked at; clones with passing names; and what an import has left that was interrupted.
/// </para>
/// </remarks>
[SupportedOSPlatform("linux")]
internal sealed class DirectoryHome : IHome
{
    private const string LockName = DatabaseName.OwnPrefix + "lock";
    private const string ProbeName = DatabaseName.OwnPrefix + "probe";

    private readonly ConcurrentDictionary<DirectoryFile, byte> _open = new();
    private readonly ClonesToName _clones = new();
    private readonly Lock _flush = new();
    private readonly PageCache _cache;
    private readonly ReflinkStore _store;
    private readonly CachedVolume _volume;
    private readonly FileStream _lock;
    private readonly NamesInFolder _names;
    private long _lastClone;
    private long _changes;
    private long _durableChanges;

    /// <summary>Opens a directory as a store's home.</summary>
    /// <exception cref="VolumeLockedException">It is open already.</exception>
    /// <exception cref="NotSupportedException">Its file system has no reflinks.</exception>
    /// <exception cref="InvalidDataException">It has not been a store yet, and there are other files in it than SQLite databases.</exception>
    public DirectoryHome(string path, PageCache cache)
    {
        Path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        var isNew = !File.Exists(PathOf(LockName));
        if (isNew)
        {
            FirstLook.At(Path);
        }

        _lock = TakeLock();
        _cache = cache;
        try
        {
            _store = SharedReflinkStores.Take(cache);
            try
            {
                foreach (var left in Directory.EnumerateFiles(Path, DatabaseName.OwnPrefix + "*").Where(static file => System.IO.Path.GetFileName(file) is not (LockName or ProbeName)))
                {
                    File.Delete(left);
                }

                _volume = Look(isNew);
                _names = new NamesInFolder(Path);
            }
            catch
            {
                SharedReflinkStores.Give(cache);
                throw;
            }
        }
        catch
        {
            if (isNew)
            {
                File.Delete(PathOf(LockName));
                File.Delete(PathOf(ProbeName));
            }

            _lock.Dispose();
            throw;
        }
    }

    public string Path { get; }

    /// <summary>The file system overwrites what no clone shares, sector by sector.</summary>
    public bool WritesPagesWhole => false;

    public IReadOnlyList<string> Names =>
        [.. new DirectoryInfo(Path).EnumerateFiles()
            .Where(NamesInFolder.IsOwn)
            .Select(static file => file.Name)
            .Where(NamesInFolder.IsStored)];

    public HomeRoom Room
    {
        get
        {
            const long MostKept = 64 << 20;
            var device = new DriveInfo(Path);
            var kept = Math.Clamp(device.TotalSize / 64, 0, MostKept);
            return new HomeRoom(device.AvailableFreeSpace / _cache.Options.PageSize, kept / _cache.Options.PageSize, _cache.Options.PageSize);
        }
    }

    public StoredFile Open(string name) => Show(name, _store.OpenForWriting(PathOf(name)));

    public StoredFile Create(string name)
    {
        var path = PathOf(name);
        _names.Change(() => File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite).Dispose());
        NoteChange();
        try
        {
            return Open(name);
        }
        catch
        {
            _names.Change(() => File.Delete(path));
            throw;
        }
    }

    public StoredFile CreateNameless() => Create($"{DatabaseName.OwnPrefix}{Guid.NewGuid():N}");

    public StoredFile Name(StoredFile nameless, string name)
    {
        var named = Clone(nameless, name);
        Unname(nameless.Name);
        nameless.GiveUp();
        return named;
    }

    public StoredFile Clone(StoredFile source, string name)
    {
        _names.ThrowIfTaken(name);
        var passingName = PathOf($"{DatabaseName.OwnPrefix}clone-{Interlocked.Increment(ref _lastClone)}");
        var clone = ((DirectoryFile)source).Handle.CloneForLaterAsync(PathOf(name), passingName).AsTask().GetAwaiter().GetResult();
        _clones.Add(name, clone);
        NoteChange();
        return Show(name, clone, source.Length, isNameless: true);
    }

    public StoredFile Rename(StoredFile file, string newName)
    {
        var renamed = Clone(file, newName);
        try
        {
            SyncNames();
        }
        catch
        {
            Unname(newName);
            renamed.GiveUp();
            throw;
        }

        Unname(file.Name);
        file.GiveUp();
        return renamed;
    }

    public void Unname(params ReadOnlySpan<string> names)
    {
        for (var i = 0; i < names.Length; i++)
        {
            if (_clones.TryRemove(names[i]))
            {
                continue;
            }

            var path = PathOf(names[i]);
            _names.Change(() => File.Delete(path));
            NoteChange();
            if (i == 0 && names.Length > 1)
            {
                SyncNames();
            }
        }
    }

    public void SyncNames()
    {
        lock (_flush)
        {
            var changes = Volatile.Read(ref _changes);
            if (changes != _durableChanges)
            {
                _clones.NameAll(_names.Change, _names.Flush);
                _names.Flush();
                _durableChanges = changes;
            }
        }
    }

    /// <summary>The kernel has forgotten it for all who look. Both is whole: with the journal as without it.</summary>
    public bool TryNameAgain(StoredFile file) => false;

    public void Reclaim()
    {
        // The file system sees to it.
    }

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await _volume.FlushAsync(cancellationToken).ConfigureAwait(false);
        SyncNames();
    }

    public async ValueTask DisposeAsync()
    {
        IOException? failure = null;
        foreach (var file in _open.Keys)
        {
            try
            {
                await file.Handle.DisposeAsync().ConfigureAwait(false);
            }
            catch (IOException error)
            {
                // Closed all the same; the others shall be written back.
                failure ??= error;
            }
        }

        SharedReflinkStores.Give(_cache);
        _names.Dispose();
        await _lock.DisposeAsync().ConfigureAwait(false);
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"directory {Path}";

    private string PathOf(string name) => System.IO.Path.Combine(Path, name);

    private void NoteChange() => Interlocked.Increment(ref _changes);

    private DirectoryFile Show(string name, ReflinkedFile handle, long? length = null, bool isNameless = false)
    {
        var file = new DirectoryFile(this, name, handle, length ?? handle.File.Length, isNameless);
        _open.TryAdd(file, 0);
        return file;
    }

    private FileStream TakeLock()
    {
        try
        {
            return new FileStream(PathOf(LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException error) when (error is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException))
        {
            throw new VolumeLockedException(Path, error);
        }
    }

    /// <summary>Looks at the file system. A new store makes a reflink, to see whether there are any; an old one may have no room for it.</summary>
    /// <returns>The file system as the cache knows it.</returns>
    private CachedVolume Look(bool isNew)
    {
        const int NotSupported = 95;
        var reflink = PathOf(DatabaseName.OwnPrefix + "reflink");
        try
        {
            if (!File.Exists(PathOf(ProbeName)))
            {
                File.OpenHandle(PathOf(ProbeName), FileMode.CreateNew, FileAccess.ReadWrite).Dispose();
            }

            using var file = _store.OpenForWriting(PathOf(ProbeName));
            if (isNew)
            {
                using var clone = file.CloneAsync(reflink).AsTask().GetAwaiter().GetResult();
            }

            return file.File.Volume;
        }
        catch (Exception error) when (error is NotSupportedException || FindCause(error) is { HResult: NotSupported })
        {
            throw new NotSupportedException(
                $"The directory '{Path}' lies on {new DriveInfo(Path).DriveFormat} and cannot be a store, for branches are reflinks there, "
                + $"which XFS (made with reflink=1) and btrfs have: {error.Message} A store in a file works on any file system.", error);
        }
        finally
        {
            File.Delete(reflink);
        }
    }

    private static IOException? FindCause(Exception error)
    {
        var cause = error;
        while (cause.InnerException is not null)
        {
            cause = cause.InnerException;
        }

        return cause as IOException;
    }

    private sealed class DirectoryFile(DirectoryHome home, string name, ReflinkedFile handle, long length, bool isNameless)
        : StoredFile(name, handle.File, length)
    {
        private volatile bool _isNameless = isNameless;

        public ReflinkedFile Handle { get; } = handle;

        /// <summary>Content first, then the name that leads to it.</summary>
        public override void Sync()
        {
            if (_isNameless)
            {
                home._names.Change(Handle.TakePassingName);
                _isNameless = false;
            }

            base.Sync();
            home.SyncNames();
        }

        public override void GiveUp()
        {
            Pages.Delete();
            Handle.Dispose();
            home._open.TryRemove(this, out _);
        }
    }
}
