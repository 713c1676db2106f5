using System.Collections.Concurrent;
using SharedPageCache.Cow;
using SharedPageCache.Sqlite.Branching;

namespace SharedPageCache.Sqlite.Files;

/// <summary>The names of a store: databases, and what SQLite puts beside them.</summary>
/// <remarks>
/// <para>
/// Looked up without a lock and without an allocation, for SQLite asks for journals at each transaction. Changed under one
/// lock, in memory; no I/O is done under it. Lock order: this one, a database's <see cref="Database.Moment"/>, the cache's
/// gates.
/// </para>
/// <para>
/// <b>Names and crashes.</b> The volume makes its directory durable as a whole, at a moment that anybody's sync may choose.
/// So a name appears after what it needs and goes before it: a branch's journal and log are named before its database, and a
/// database loses its name before they do. What a crash leaves of such a pair is a journal without a database, which
/// <see cref="Catalog"/> removes when the store is opened.
/// </para>
/// </remarks>
internal sealed partial class Catalog
{
    private readonly Lock _lock = new();
    private readonly CowVolume _volume;
    private readonly CachedVolume _cached;
    private readonly ConcurrentDictionary<string, StoredFile> _files = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Database> _databases = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StoredFile>.AlternateLookup<ReadOnlySpan<char>> _filesBySpan;

    public Catalog(CowVolume volume, CachedVolume cached)
    {
        _volume = volume;
        _cached = cached;
        _filesBySpan = _files.GetAlternateLookup<ReadOnlySpan<char>>();
        var names = volume.Files.Select(static file => file.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (DatabaseName.OwnerOf(name) is { } owner && !names.Contains(owner))
            {
                volume.Delete(name);
                continue;
            }

            var map = volume.OpenFile(name);
            var file = new StoredFile(name, map, cached.OpenFile(map, map.Length, new FileOpenOptions { Name = name }), map.Length);
            _files.TryAdd(name, file);
            if (DatabaseName.IsValid(name))
            {
                _databases.TryAdd(name, new Database(file));
            }
        }

        foreach (var file in _files.Values)
        {
            OwnerOf(file.Name)?.Attach(file.Name, file);
        }
    }

    /// <summary>The databases at this moment, in the order of their names.</summary>
    public IReadOnlyList<DatabaseEntry> Databases
    {
        get
        {
            lock (_lock)
            {
                return [.. _databases.Values
                    .OrderBy(static database => database.Name, StringComparer.Ordinal)
                    .Select(static database => new DatabaseEntry(database.Name, database.Main.Length, database.Connections))];
            }
        }
    }

    /// <summary>Whether there is a file that is not empty: what SQLite calls to exist.</summary>
    public bool Exists(ReadOnlySpan<char> name) => _filesBySpan.TryGetValue(name, out var file) && file.Length > 0;

    public bool HasDatabase(string name) => _databases.ContainsKey(name);

    /// <summary>Makes an empty database.</summary>
    public void Create(string name)
    {
        lock (_lock)
        {
            ThrowIfTaken(name);
            AddDatabase(Make(name));
        }
    }

    /// <summary>Opens a database for a connection.</summary>
    /// <returns>The database; null if there is none and none is to be made, or there must be none and is one.</returns>
    public Database? Open(string name, bool create, bool mustBeNew)
    {
        lock (_lock)
        {
            if (_databases.TryGetValue(name, out var database))
            {
                if (mustBeNew)
                {
                    return null;
                }
            }
            else if (!create || !DatabaseName.IsValid(name))
            {
                return null;
            }
            else
            {
                database = AddDatabase(Make(name));
            }

            database.Connections++;
            return database;
        }
    }

    public void Close(Database database)
    {
        lock (_lock)
        {
            database.Connections--;
        }
    }

    /// <summary>Opens a journal, a log or a super-journal for a connection, as <see cref="Open"/> does a database.</summary>
    public StoredFile? OpenBeside(string name, bool create, bool mustBeNew, out Database? owner)
    {
        lock (_lock)
        {
            owner = OwnerOf(name);
            if (_files.TryGetValue(name, out var file))
            {
                if (mustBeNew)
                {
                    return null;
                }
            }
            else if (!create || (owner is null && !DatabaseName.IsSuperJournal(name)))
            {
                return null;
            }
            else
            {
                file = Make(name);
                owner?.Attach(name, file);
            }

            file.Handles++;
            return file;
        }
    }

    public void CloseBeside(StoredFile file)
    {
        lock (_lock)
        {
            if (--file.Handles == 0 && file.IsDeleted)
            {
                GiveUp(file);
            }
        }
    }

    /// <summary>Deletes a journal, a log or a super-journal.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="durable">
    /// Whether it must be gone after a crash. It must also be if it was synced: deleting a journal commits the transaction,
    /// and whoever has a journal synced counts on that. (On other systems the kernel outlives the process, and remembers.)
    /// </param>
    /// <returns>Whether there was one.</returns>
    /// <remarks>If it cannot be made durable the file is back, so that SQLite rolls back what it reports as failed.</remarks>
    public bool Delete(string name, bool durable)
    {
        PassMoment(name);
        StoredFile? file;
        lock (_lock)
        {
            if (!_files.TryGetValue(name, out file) || _databases.ContainsKey(name))
            {
                return false;
            }

            _volume.Delete(name);
        }

        if (durable || (file.WasSynced && !name.EndsWith(DatabaseName.WalSuffix, StringComparison.Ordinal)))
        {
            try
            {
                _volume.CommitAsync().GetAwaiter().GetResult();
            }
            catch
            {
                _volume.Link(file.Map, name);
                throw;
            }
        }

        lock (_lock)
        {
            Forget(file);
        }

        return true;
    }

    /// <summary>Makes a branch: a database of its own that shows the last committed state of another one.</summary>
    public void Branch(string source, string name)
    {
        lock (_lock)
        {
            var database = Find(source);
            ThrowIfTaken(name);
            var cut = BranchCut.Take(database, file => _files.ContainsKey(file));
            List<StoredFile> named = [];
            try
            {
                NameClone(cut.Journal, name + DatabaseName.JournalSuffix, named);
                NameClone(cut.Wal, name + DatabaseName.WalSuffix, named);
                NameClone(new BranchCut.Piece(cut.Main, cut.Main.Length), name, named);
            }
            catch
            {
                named.ForEach(static file => file.Map.Delete());
                cut.GiveUp();
                throw;
            }

            AddDatabase(named[^1]);
            foreach (var file in named)
            {
                _files.TryAdd(file.Name, file);
                OwnerOf(file.Name)?.Attach(file.Name, file);
            }
        }
    }

    /// <summary>Gives a database that nobody has open another name.</summary>
    public void Rename(string name, string newName)
    {
        lock (_lock)
        {
            var database = FindClosed(name, "renamed");
            ThrowIfTaken(newName);

            // What belongs to it gets the new name first and loses the old one last: as clones.
            List<StoredFile> named = [];
            StoredFile?[] old = [database.Journal, database.Wal];
            try
            {
                foreach (var file in old.OfType<StoredFile>())
                {
                    NameClone(new BranchCut.Piece(file.Pages.Clone(), file.Length), newName + file.Name[name.Length..], named);
                }

                _volume.Rename(name, newName);
            }
            catch
            {
                named.ForEach(GiveUp);
                throw;
            }

            _databases.TryRemove(name, out _);
            _files.TryRemove(name, out _);
            database.Main.Name = newName;
            AddDatabase(database.Main);
            foreach (var file in named)
            {
                _files.TryAdd(file.Name, file);
                OwnerOf(file.Name)?.Attach(file.Name, file);
            }

            foreach (var file in old.OfType<StoredFile>())
            {
                _volume.Delete(file.Name);
                Forget(file);
            }
        }
    }

    /// <summary>Deletes a database that nobody has open.</summary>
    public void DeleteDatabase(string name)
    {
        lock (_lock)
        {
            var database = FindClosed(name, "deleted");
            _databases.TryRemove(name, out _);
            foreach (var file in new[] { database.Main, database.Journal, database.Wal }.OfType<StoredFile>())
            {
                _volume.Delete(file.Name);
                Forget(file);
            }
        }
    }

    /// <summary>A file that nobody can find yet, to be filled and then named by <see cref="AddFilled"/>.</summary>
    public StoredFile MakeNameless()
    {
        // Should a crash leave the name, it is that of a journal without a database.
        var name = $"nameless {Guid.NewGuid():N}{DatabaseName.JournalSuffix}";
        var map = _volume.CreateFile(name);
        _volume.Delete(name);
        return new StoredFile(name, map, _cached.OpenFile(map, 0), 0);
    }

    /// <summary>Makes a filled file a database.</summary>
    public void AddFilled(StoredFile file, string name)
    {
        lock (_lock)
        {
            ThrowIfTaken(name);
            _volume.Link(file.Map, name);
            file.Name = name;
            AddDatabase(file);
        }
    }

    /// <summary>Gives up a file without a name.</summary>
    public static void GiveUp(StoredFile file)
    {
        file.Pages.Delete();
        file.Map.Dispose();
    }

    private Database? OwnerOf(string name) =>
        DatabaseName.OwnerOf(name) is { } owner && _databases.TryGetValue(owner, out var database) ? database : null;

    /// <exception cref="FileNotFoundException">There is no such database.</exception>
    public Database Find(string name) =>
        _databases.TryGetValue(name, out var database)
            ? database
            : throw new FileNotFoundException($"The store {_volume.Name} has no database '{name}'.", name);

    private Database FindClosed(string name, string what) =>
        Find(name) is { Connections: var open } database && open == 0
            ? database
            : throw new IOException(
                $"The database '{name}' cannot be {what}: {_databases[name].Connections} connections have it open. "
                + "Pooled connections count; SqliteConnection.ClearPool closes them.");

    private void ThrowIfTaken(string name)
    {
        if (_databases.ContainsKey(name))
        {
            throw new IOException($"The store {_volume.Name} has a database '{name}' already.");
        }
    }

    private StoredFile Make(string name)
    {
        var map = _volume.CreateFile(name);
        var file = new StoredFile(name, map, _cached.OpenFile(map, 0, new FileOpenOptions { Name = name }), 0);
        _files.TryAdd(name, file);
        return file;
    }

    private Database AddDatabase(StoredFile main)
    {
        var database = new Database(main);
        _files.TryAdd(main.Name, main);
        _databases.TryAdd(main.Name, database);
        return database;
    }

    private void NameClone(BranchCut.Piece? clone, string name, List<StoredFile> named)
    {
        if (clone is { } cut)
        {
            var map = (CowFile)cut.Pages.Extents;
            _volume.Link(map, name);
            named.Add(new StoredFile(name, map, cut.Pages, cut.Length));
        }
    }

    /// <summary>Takes a file that has no name in the volume any more out of the books; it goes with its last handle.</summary>
    private void Forget(StoredFile file)
    {
        _files.TryRemove(file.Name, out _);
        OwnerOf(file.Name)?.Attach(file.Name, null);
        file.IsDeleted = true;
        if (file.Handles == 0)
        {
            GiveUp(file);
        }
    }
}
