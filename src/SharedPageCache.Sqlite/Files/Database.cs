using SharedPageCache.Sqlite.Locking;

namespace SharedPageCache.Sqlite.Files;

/// <summary>A database of the store: its file, what SQLite has put beside it, and what its connections share.</summary>
internal sealed partial class Database(StoredFile main)
{
    private FileLock _lock;

    /// <summary>
    /// Held while a branch is cut; whoever changes one of the files passes through it <i>before</i> it begins (see
    /// <see cref="Branching.BranchCut"/>). Never held over I/O by those who write.
    /// </summary>
    public Lock Moment { get; } = new();

    public string Name => Main.Name;

    public StoredFile Main { get; } = main;

    /// <summary>The rollback journal, if there is one. Changed under <see cref="Moment"/>.</summary>
    public StoredFile? Journal { get; set; }

    /// <summary>The write-ahead log, if there is one. Changed under <see cref="Moment"/>.</summary>
    public StoredFile? Wal { get; set; }

    public ref FileLock Lock => ref _lock;

    public WalIndex WalIndex { get; } = new();

    /// <summary>How many connections are open. Under the catalog's lock.</summary>
    public int Connections { get; set; }

    /// <summary>Called by whoever is about to change a file. Waits while a branch is being cut: a few microseconds.</summary>
    public void PassMoment()
    {
        BeforeChange?.Invoke();
        Moment.Enter();
        Moment.Exit();
    }

    /// <summary>The place for a file beside the database, by its name.</summary>
    public void Attach(string name, StoredFile? file)
    {
        lock (Moment)
        {
            if (name.EndsWith(DatabaseName.WalSuffix, StringComparison.Ordinal))
            {
                Wal = file;
            }
            else
            {
                Journal = file;
            }
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Main}; {_lock}";
}
