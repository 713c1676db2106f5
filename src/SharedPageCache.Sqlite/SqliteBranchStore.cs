using System.Diagnostics;
using System.Runtime.Versioning;
using SharedPageCache.Cow;
using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Homes;
using SharedPageCache.Sqlite.Native;

namespace SharedPageCache.Sqlite;

/// <summary>
/// SQLite databases with branches: a database of its own that begins as another one's last committed state, made in microseconds
/// whatever the size. What branches have in common is on disk once and in memory once.
/// </summary>
/// <remarks>
/// <para>
/// Thread-safe. Databases are opened by any SQLite client of this process with <see cref="GetConnectionString"/>, or with a
/// URI that names <see cref="VfsName"/>. Rollback journals and WAL, transactions, ATTACH and VACUUM work as ever. Other
/// processes cannot open the store while it is open.
/// </para>
/// <para>
/// <b>Two homes.</b> A store is one file on any file system, in which a branch is made in memory; or it is a directory on XFS or btrfs, in
/// which each database is an ordinary file, and a branch a reflink, made by system calls. While a directory is open nobody else may
/// write to its databases.
/// </para>
/// <para>
/// <b>What is durable.</b> What SQLite syncs, as <c>PRAGMA synchronous</c> says: by default each transaction of a database with
/// a rollback journal, and in WAL mode all up to the last checkpoint, or each with <c>synchronous=FULL</c>. A process that is
/// killed is to a store what a power failure is to other databases, for the pages are in the process; with
/// <c>synchronous=OFF</c> it can damage a database. Branches, names and deletions are durable with the next sync of anybody
/// or <see cref="FlushAsync"/>. Disposing the store flushes it.
/// </para>
/// </remarks>
/// <example>
/// <code>
/// using var store = SqliteBranchStore.Open("/data/app.store");
/// store.Create("main");
/// using var connection = new SqliteConnection(store.GetConnectionString("main"));
/// connection.Open();
/// // ... create tables, insert ...
/// store.Branch("main", "experiment");                 // microseconds
/// using var branch = new SqliteConnection(store.GetConnectionString("experiment"));
/// </code>
/// </example>
[DebuggerDisplay("{Path,nq} as {VfsName,nq}")]
public sealed class SqliteBranchStore : IDisposable, IAsyncDisposable
{
    private static int s_lastNumber;

    private readonly IHome _home;
    private readonly PageCache? _ownCache;
    private readonly StoreFiles _files;
    private readonly VfsRegistration _vfs;
    private int _closed;

    private SqliteBranchStore(string path, SqliteBranchStoreOptions options, Func<PageCache, IHome> home)
    {
        var library = SqliteLibrary.Load(options.NativeLibrary);
        Path = path;
        Cache = options.Cache ?? (_ownCache = new PageCache(new PageCacheOptions { CapacityBytes = options.CacheBytes, Name = path }));
        try
        {
            _home = home(Cache);
            _files = new StoreFiles(new Catalog(_home), new RoomKeeper(_home, Cache), Cache.Options.CapacityBytes / Cache.Options.PageSize);
            VfsName = $"spc-{Interlocked.Increment(ref s_lastNumber)}";
            _vfs = new VfsRegistration(library, VfsName, _files);
        }
        catch
        {
            _home?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            _ownCache?.Dispose();
            throw;
        }
    }

    /// <summary>The file or the directory that the store is in.</summary>
    public string Path { get; }

    /// <summary>The name of the VFS, for URIs: <c>file:NAME?vfs=VFSNAME</c>. Another one each time that a store is opened.</summary>
    public string VfsName { get; }

    /// <summary>The cache that holds the pages; its statistics tell what branches save.</summary>
    public PageCache Cache { get; }

    /// <summary>
    /// What a call of SQLite has failed with last; null if none has. SQLite itself only has a code for it, like
    /// <c>SQLITE_IOERR_FSYNC</c> or <c>SQLITE_FULL</c>.
    /// </summary>
    public Exception? LastFailure => _files.LastFailure;

    /// <summary>The databases at this moment, in the order of their names.</summary>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public IReadOnlyList<DatabaseEntry> Databases => Catalog.Databases;

    internal StoreFiles Files
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return _files;
        }
    }

    internal bool IsClosed => _closed != 0;

    internal Catalog Catalog => Files.Catalog;

    /// <summary>Opens the store in a file or in a directory, or creates it if there is none.</summary>
    /// <param name="path">
    /// The file, or a directory on XFS or btrfs that has nothing in it but SQLite databases. If there is neither, the store
    /// is created as a file, or as a directory if the path ends with a separator.
    /// </param>
    /// <param name="options">How; null for the defaults.</param>
    /// <returns>The store, which the caller disposes when all connections are closed.</returns>
    /// <exception cref="ArgumentException">The path is empty, or an option is not allowed.</exception>
    /// <exception cref="InvalidOperationException">There is no native SQLite library, or a second one was asked for.</exception>
    /// <exception cref="VolumeLockedException">The store is open already, in this process or in another one.</exception>
    /// <exception cref="VolumeCorruptException">The file is no store, or is damaged.</exception>
    /// <exception cref="InvalidDataException">The directory is no store, and has other files in it than SQLite databases.</exception>
    /// <exception cref="NotSupportedException">The directory's file system has no reflinks.</exception>
    /// <exception cref="IOException">The file or the directory cannot be read or written.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public static SqliteBranchStore Open(string path, SqliteBranchStoreOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new SqliteBranchStoreOptions();
        if (System.IO.Path.EndsInDirectorySeparator(path))
        {
            Directory.CreateDirectory(path);
        }

        if (Directory.Exists(path))
        {
            return OperatingSystem.IsLinux()
                ? OpenDirectory(path, options)
                : throw new NotSupportedException($"'{path}' is a directory, and directories are stores on Linux only.");
        }

        var volume = OpenVolume(path, new CowVolumeOptions
        {
            BlockSize = options.Cache?.Options.PageSize ?? 4096,
            CapacityBytes = options.CapacityBytes,
            DirectIO = options.DirectIO,
        });
        return Open(volume, path, options);
    }

    /// <summary>Opens a store in a home that is made for its cache.</summary>
    internal static SqliteBranchStore Open(string path, SqliteBranchStoreOptions options, Func<PageCache, IHome> home) => new(path, options, home);

    /// <summary>Opens a store on a volume, which belongs to the store from here on.</summary>
    internal static SqliteBranchStore Open(CowVolume volume, string path, SqliteBranchStoreOptions options)
    {
        try
        {
            return new SqliteBranchStore(path, options, cache => new VolumeHome(volume, path, cache));
        }
        catch
        {
            volume.Dispose();
            throw;
        }
    }

    /// <summary>The connection string of a database, for Microsoft.Data.Sqlite and all that is built on it.</summary>
    /// <param name="name">The database. It need not exist: SQLite creates it when it is opened, unless <c>Mode</c> says otherwise.</param>
    /// <returns>
    /// A connection string without pooling, so that a database can be deleted when its connections are closed; append what
    /// you need.
    /// </returns>
    /// <exception cref="ArgumentException">No database can have the name.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public string GetConnectionString(string name) => $"Data Source=\"{GetUri(name)}\";Pooling=False";

    /// <summary>The URI of a database, for <c>sqlite3_open_v2</c> with <c>SQLITE_OPEN_URI</c>, and for ATTACH.</summary>
    /// <param name="name">The database.</param>
    /// <returns>The URI, good while the store is open.</returns>
    /// <inheritdoc cref="GetConnectionString" path="/exception"/>
    public string GetUri(string name)
    {
        DatabaseName.Check(name);
        ObjectDisposedException.ThrowIf(IsClosed, this);
        return $"file:{Uri.EscapeDataString(name)}?vfs={VfsName}";
    }

    /// <summary>Whether there is a database of a name.</summary>
    /// <param name="name">The name.</param>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public bool Exists(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Catalog.HasDatabase(name);
    }

    /// <summary>Creates an empty database.</summary>
    /// <param name="name">Its name: up to 200 bytes of UTF-8, no separators, not what SQLite calls its journals.</param>
    /// <exception cref="ArgumentException">No database can have the name.</exception>
    /// <exception cref="IOException">There is one of the name already.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public void Create(string name)
    {
        DatabaseName.Check(name);
        Catalog.Create(name);
    }

    /// <summary>
    /// Makes a branch: a database of its own that begins as another one's last committed state. Constant time, whatever the
    /// size; no wait for transactions that are open, none of whose changes it shows; in a file no I/O, in a directory the
    /// system calls that make a reflink.
    /// </summary>
    /// <param name="source">The database, or branch, that it begins as.</param>
    /// <param name="name">The branch's name, as for <see cref="Create"/>.</param>
    /// <remarks>
    /// <para>
    /// The branch is durable with the next sync of anybody in the store, or <see cref="FlushAsync"/>. A crash before leaves it whole, or not at all.
    /// </para>
    /// <para>
    /// If the source is in WAL mode so is the branch, with the log as it was. If a transaction had begun to change the source's
    /// file the branch has its journal, and rolls it back when it is first opened, which must not be for reading only then.
    /// </para>
    /// </remarks>
    /// <exception cref="ArgumentException">No database can have the name.</exception>
    /// <exception cref="FileNotFoundException">There is no such source.</exception>
    /// <exception cref="IOException">There is a database of the branch's name already.</exception>
    /// <exception cref="CacheCapacityException">Metadata has used up the memory limit.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public void Branch(string source, string name)
    {
        ArgumentNullException.ThrowIfNull(source);
        DatabaseName.Check(name);
        Catalog.Branch(source, name);
    }

    /// <summary>Gives a database another name.</summary>
    /// <param name="name">The name that it has.</param>
    /// <param name="newName">The name that it gets.</param>
    /// <exception cref="ArgumentException">No database can have the new name.</exception>
    /// <exception cref="FileNotFoundException">There is no such database.</exception>
    /// <exception cref="IOException">A connection has it open, or there is one of the new name already.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public void Rename(string name, string newName)
    {
        ArgumentNullException.ThrowIfNull(name);
        DatabaseName.Check(newName);
        Catalog.Rename(name, newName);
    }

    /// <summary>Deletes a database. What branches share with it stays theirs.</summary>
    /// <param name="name">The database.</param>
    /// <exception cref="FileNotFoundException">There is no such database.</exception>
    /// <exception cref="IOException">A connection has it open; pooled ones count.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public void Delete(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        Catalog.DeleteDatabase(name);
    }

    /// <summary>Copies a database file of the file system into the store. Nobody may write it meanwhile.</summary>
    /// <param name="path">The file, without a journal or a log beside it.</param>
    /// <param name="name">The database that it becomes, as for <see cref="Create"/>.</param>
    /// <param name="cancellationToken">Cancels the copying; nothing is left of it.</param>
    /// <exception cref="ArgumentException">No database can have the name.</exception>
    /// <exception cref="InvalidDataException">The file is no SQLite database, or has a journal or a log beside it.</exception>
    /// <exception cref="IOException">The file cannot be read, there is no room, or there is one of the name already.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async Task ImportAsync(string path, string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        DatabaseName.Check(name);
        await DatabaseImport.RunAsync(Catalog, path, name, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Makes everything durable that was done to the store before the call: branches, names, deletions, and all that SQLite
    /// has written, synced or not.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="CacheWritebackException">It could not be made durable. Nothing is lost; a later flush tries again.</exception>
    /// <exception cref="IOException">The device failed, or there is no room.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async Task FlushAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        await _home.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Flushes the store and closes it. Connections that are still open get SQLITE_IOERR from here on.</summary>
    /// <exception cref="CacheWritebackException">
    /// Not everything could be made durable, and what was not is lost: call <see cref="FlushAsync"/> before to have a second try.
    /// </exception>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    /// <inheritdoc cref="Dispose"/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
        {
            return;
        }

        _vfs.Dispose();
        try
        {
            await _home.FlushAsync(default).ConfigureAwait(false);
        }
        finally
        {
            try
            {
                await _home.DisposeAsync().ConfigureAwait(false);
            }
            finally
            {
                _ownCache?.Dispose();
            }
        }
    }

    [SupportedOSPlatform("linux")]
    private static SqliteBranchStore OpenDirectory(string path, SqliteBranchStoreOptions options) =>
        new(path, options, cache => new DirectoryHome(path, cache));

    private static CowVolume OpenVolume(string path, CowVolumeOptions options)
    {
        try
        {
            return CowVolume.Open(path, options);
        }
        catch (FileNotFoundException)
        {
            return CowVolume.Create(path, options);
        }
    }
}
