using SharedPageCache.Sqlite.Locking;

namespace SharedPageCache.Sqlite.Files;

/// <summary>A file as one connection has it open: a journal, a log, a super-journal, or by <see cref="MainFile"/> a database.</summary>
/// <remarks>Used by one thread at a time, as SQLite does. Other connections have objects of their own.</remarks>
internal class VfsFile(StoreFiles store, StoredFile file, Database? owner, OpenFlags flags)
{
    public StoredFile File { get; } = file;

    /// <summary>
    /// What SQLite may rely on. Nothing beside what is written is touched. In a volume a page is written as a whole to blocks that
    /// nobody shows, and then shown: so each part of it that SQLite writes at once is there as a whole after a crash, or
    /// not at all. Not said is that a file only grows when what it grows by is there: its length may be durable before.
    /// </summary>
    public int Characteristics
    {
        get
        {
            // SQLITE_IOCAP_ATOMIC512 is bit 1, ATOMIC1K bit 2 and so on, up to the page.
            const int PowersafeOverwrite = 0x1000;
            var sizes = int.Log2(File.Pages.Volume.PageSize) - 7;
            return PowersafeOverwrite | (Store.Home.WritesPagesWhole ? (1 << sizes) - 2 : 0);
        }
    }

    /// <summary>Whether the log stays when the last connection closes.</summary>
    public bool PersistsWal { get; set; }

    /// <summary>What <c>PRAGMA mmap_size</c> says; more than 0 has SQLite fetch pages.</summary>
    public long MapLimit { get; set; }

    public virtual LockLevel Level => LockLevel.None;

    public virtual bool IsReserved => false;

    protected StoreFiles Store { get; } = store;

    /// <summary>The database that the file is, or is a part of; none for a super-journal.</summary>
    protected Database? Owner { get; } = owner;

    public bool Write(ReadOnlySpan<byte> source, long offset)
    {
        if ((flags & OpenFlags.ReadOnly) != 0)
        {
            return false;
        }

        Admit(source.Length, offset);
        PassMoment();
        File.Write(source, offset);
        return true;
    }

    public bool Truncate(long length)
    {
        if ((flags & OpenFlags.ReadOnly) != 0)
        {
            return false;
        }

        PassMoment();
        File.SetLength(length);
        return true;
    }

    /// <summary>The file is going to be changed.</summary>
    protected virtual void PassMoment() => Owner?.PassMoment();

    /// <summary>Makes sure that what is begun by a write can be ended.</summary>
    protected virtual void Admit(int count, long offset) => Store.Room.AdmitToJournal(count);

    public virtual bool TryLock(LockLevel level) => true;

    public virtual void Unlock(LockLevel level)
    {
    }

    /// <summary>SQLite is going to write this far: one step of the volume in place of one for each page.</summary>
    public virtual void ExpectLength(long length)
    {
    }

    public virtual void Close()
    {
        Store.Catalog.CloseBeside(File);
        if ((flags & OpenFlags.DeleteOnClose) != 0)
        {
            Store.Catalog.Delete(File.Name, durable: false);
        }
    }

    public void NoteFailure(Exception error) => Store.NoteFailure(error);
}
