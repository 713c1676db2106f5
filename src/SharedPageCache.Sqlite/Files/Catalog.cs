using System.Collections.Concurrent;
using SharedPageCache.Sqlite.Branching;
using SharedPageCache.Sqlite.Homes;

namespace SharedPageCache.Sqlite.Files;

/// <summary>The names of a store: databases, and what SQLite puts beside them.</summary>
/// <remarks>
/// <para>
/// Looked up without a lock and without an allocation, for SQLite asks for journals at each transaction. Changed under one
/// lock, together with the home's names: in memory in a volume, by system calls in a directory. Lock order: this one, a
/// database's <see cref="Database.Moment"/>, the cache's gates.
/// </para>
/// <para>
/// <b>Names and crashes.</b> The home makes its names durable at moments that anybody's sync may choose. So a name appears after what it needs and goes before it: a branch's journal and log are named before its database, and a
/// database loses its name before they do. What a crash leaves of such a pair is a journal without a database, which
/// <see cref="Catalog"/> removes when the store is opened.
/// </para>
/// </remarks>
internal sealed partial class Catalog
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, StoredFile> _files = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Database> _databases = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StoredFile>.AlternateLookup<ReadOnlySpan<char>> _filesBySpan;

    public Catalog(IHome home)
    {
        Home = home;
        _filesBySpan = _files.GetAlternateLookup<ReadOnlySpan<char>>();
        var names = home.Names.ToHashSet(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (DatabaseName.OwnerOf(name) is { } owner && !names.Contains(owner))
            {
                home.Unname(name);
                continue;
            }

            var file = home.Open(name);
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

    /// <summary>Where the files are.</summary>
    public IHome Home { get; }

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
                file.GiveUp();
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
    /// <remarks>
    /// If it cannot be made durable the file is back, if the home can do that, so that SQLite rolls back what it reports as failed.
    /// </remarks>
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

            Home.Unname(name);
        }

        if (durable || (file.WasSynced && !name.EndsWith(DatabaseName.WalSuffix, StringComparison.Ordinal)))
        {
            try
            {
                Home.SyncNames();
            }
            catch
            {
                if (!Home.TryNameAgain(file))
                {
                    ForgetLocked(file);
                }

                throw;
            }
        }

        ForgetLocked(file);
        return true;
    }

    /// <summary>Makes a branch: a database of its own that shows the last committed state of another one.</summary>
    public void Branch(string source, string name)
    {
        lock (_lock)
        {
            var database = Find(source);
            ThrowIfTaken(name);
            TakeIn(BranchCut.Take(database, name, Home, _files.ContainsKey));
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
            var named = new NewFiles(Home);
            StoredFile[] beside = [.. new[] { database.Journal, database.Wal }.OfType<StoredFile>()];
            try
            {
                foreach (var file in beside)
                {
                    named.Clone(file, newName + file.Name[name.Length..]);
                }

                named.Add(Home.Rename(database.Main, newName));
            }
            catch
            {
                named.GiveUp();
                throw;
            }

            _databases.TryRemove(name, out _);
            _files.TryRemove(name, out _);
            TakeIn(named);
            Home.Unname([.. beside.Select(static file => file.Name)]);
            Array.ForEach(beside, Forget);
        }
    }

    /// <summary>Deletes a database that nobody has open.</summary>
    public void DeleteDatabase(string name)
    {
        lock (_lock)
        {
            var database = FindClosed(name, "deleted");
            StoredFile[] files = [.. new[] { database.Main, database.Journal, database.Wal }.OfType<StoredFile>()];
            Home.Unname([.. files.Select(static file => file.Name)]);
            _databases.TryRemove(name, out _);
            Array.ForEach(files, Forget);
        }
    }

    /// <summary>A file that nobody can find yet, to be filled and then named by <see cref="AddFilled"/>.</summary>
    public StoredFile MakeNameless() => Home.CreateNameless();

    /// <summary>Makes a filled file a database.</summary>
    public void AddFilled(StoredFile file, string name)
    {
        lock (_lock)
        {
            ThrowIfTaken(name);
            AddDatabase(Home.Name(file, name));
        }
    }

    private Database? OwnerOf(string name) =>
        DatabaseName.OwnerOf(name) is { } owner && _databases.TryGetValue(owner, out var database) ? database : null;

    /// <exception cref="FileNotFoundException">There is no such database.</exception>
    public Database Find(string name) =>
        _databases.TryGetValue(name, out var database)
            ? database
            : throw new FileNotFoundException($"The store '{Home.Path}' has no database '{name}'.", name);

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
            throw new IOException($"The store '{Home.Path}' has a database '{name}' already.");
        }
    }

    private StoredFile Make(string name)
    {
        var file = Home.Create(name);
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

    /// <summary>Puts a new database and what is beside it into the books.</summary>
    private void TakeIn(NewFiles files)
    {
        AddDatabase(files.Main);
        foreach (var file in files.All)
        {
            _files.TryAdd(file.Name, file);
            OwnerOf(file.Name)?.Attach(file.Name, file);
        }
    }

    private void ForgetLocked(StoredFile file)
    {
        lock (_lock)
        {
            Forget(file);
        }
    }

    /// <summary>Takes a file that has no name any more out of the books; it goes with its last handle.</summary>
    private void Forget(StoredFile file)
    {
        _files.TryRemove(file.Name, out _);
        OwnerOf(file.Name)?.Attach(file.Name, null);
        file.IsDeleted = true;
        if (file.Handles == 0)
        {
            file.GiveUp();
        }
    }
}
