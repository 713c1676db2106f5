using SharedPageCache.Sqlite.Homes;

namespace SharedPageCache.Sqlite.Files;

/// <summary>The files of a store as SQLite opens, looks for and deletes them, and the last thing that went wrong.</summary>
internal sealed class StoreFiles(Catalog catalog, RoomKeeper room, long cachePages)
{
    private Exception? _lastFailure;

    public Catalog Catalog { get; } = catalog;

    public RoomKeeper Room { get; } = room;

    public IHome Home => Catalog.Home;

    /// <summary>How many pages the cache has room for.</summary>
    public long CachePages { get; } = cachePages;

    /// <summary>What a function that SQLite called has thrown last.</summary>
    public Exception? LastFailure => Volatile.Read(ref _lastFailure);

    /// <summary>Opens a file for a connection.</summary>
    /// <returns>The file; null if it cannot be opened so.</returns>
    public VfsFile? TryOpen(string name, OpenFlags flags, out OpenFlags granted)
    {
        granted = flags;
        var create = (flags & OpenFlags.Create) != 0;
        var mustBeNew = create && (flags & OpenFlags.Exclusive) != 0;
        if ((flags & OpenFlags.MainDatabase) != 0)
        {
            return Catalog.Open(name, create, mustBeNew) is { } database ? new MainFile(this, database, flags) : null;
        }

        return Catalog.OpenBeside(name, create, mustBeNew, out var owner) is { } file ? new VfsFile(this, file, owner, flags) : null;
    }

    public bool Exists(ReadOnlySpan<char> name) => Catalog.Exists(name);

    public bool Delete(string name, bool durable) => Catalog.Delete(name, durable);

    public void NoteFailure(Exception error) => Volatile.Write(ref _lastFailure, error);
}
