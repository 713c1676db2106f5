using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Branching;

/// <summary>
/// Clones of a database's files as of one moment: what a crash would leave at that moment, from which SQLite restores the
/// last committed state, as it does after any crash, when the branch is first opened.
/// </summary>
/// <remarks>
/// <para>
/// <b>Why this is the last committed state.</b> SQLite orders its writes so that whatever it has written so far, database
/// and journal (or log) together lead back to the last commit: the journal has every page before the database loses it,
/// and a log has a transaction's last frame before the transaction counts. So clones of all files at one moment are enough,
/// at the price of nothing for those who write and a constant for the branch: no wait for a transaction, no copy kept for
/// each, no I/O. Mostly there is nothing to restore: see "What is left out".
/// </para>
/// <para>
/// <b>One moment without a wait.</b> Clones of two files are made one after the other. Whoever changes a file of the database
/// passes through <see cref="Database.Moment"/> before it begins; the cut holds it. So no change begins between the first
/// clone and the last one. One may be under way, and take effect between the clones or not; writers are not waited for, as
/// they may be waiting for the device. That is harmless:
/// </para>
/// <list type="bullet">
/// <item>With a rollback journal all changes come from the one connection that has the lock, one after the other. If one is
/// under way, the other files stand still: the clones are of the moment before it or of the one after.</item>
/// <item>With a log there may be two: a writer that appends, and a checkpoint that copies into the database what has long been
/// committed and is still in the log. Each combination is a state that a crash could leave. The log begins anew only
/// when nothing is left to be copied, so not beside a checkpoint's write.</item>
/// </list>
/// <para>
/// <b>What is left out.</b> A journal that is being prepared, while its connection has not been alone yet (RESERVED,
/// PENDING): the database has not been touched, and its journal would restore what is there. It becomes alone before its first
/// write to the database, which passes the moment; so what is seen here is true until the cut is over. A journal that was
/// finished by zeroing its head. An empty log.
/// </para>
/// <para>
/// <b>Transactions over several databases</b> are committed by deleting the super-journal that each journal names. While it
/// exists the branch's journal is cut off before that name, so that the branch does not depend on a file of others; once it
/// is gone, the journal means nothing any more. Only the connection that holds the lock deletes it, and only after all
/// databases are complete; should it do so right after it was seen here, the branch is of the moment before.
/// </para>
/// </remarks>
internal readonly record struct BranchCut(MappedFile Main, BranchCut.Piece? Journal, BranchCut.Piece? Wal)
{
    /// <summary>A clone, and how long SQLite believes it to be.</summary>
    internal readonly record struct Piece(MappedFile Pages, long Length);

    /// <summary>Cuts a branch off a database.</summary>
    /// <param name="database">The database.</param>
    /// <param name="exists">Whether the store has a file of a name, for super-journals.</param>
    public static BranchCut Take(Database database, Func<string, bool> exists)
    {
        lock (database.Moment)
        {
            MappedFile? main = null;
            Piece? journal = null;
            try
            {
                main = database.Main.Pages.Clone();
                journal = CutJournal(database, exists);
                return new BranchCut(main, journal, CutWal(database));
            }
            catch
            {
                GiveUp(main);
                GiveUp(journal?.Pages);
                throw;
            }
        }
    }

    /// <summary>Gives up clones that nobody has named.</summary>
    public void GiveUp()
    {
        GiveUp(Main);
        GiveUp(Journal?.Pages);
        GiveUp(Wal?.Pages);
    }

    private static Piece? CutJournal(Database database, Func<string, bool> exists)
    {
        if (database.Journal is not { Length: > 0, MayBeHot: true } journal || database.Lock.IsBeingPrepared)
        {
            return null;
        }

        var clone = journal.Pages.Clone();
        try
        {
            if (SuperJournalRecord.Find(clone) is not { } super)
            {
                return new Piece(clone, clone.Length);
            }

            if (exists(super.Name))
            {
                clone.SetLength(super.Start);
                return new Piece(clone, super.Start);
            }
        }
        catch
        {
            GiveUp(clone);
            throw;
        }

        GiveUp(clone);
        return null;
    }

    private static Piece? CutWal(Database database) =>
        database.Wal is { Length: > 0 } wal ? new Piece(wal.Pages.Clone(), wal.Length) : null;

    private static void GiveUp(MappedFile? clone)
    {
        if (clone is not null)
        {
            var map = (Cow.CowFile)clone.Extents;
            clone.Delete();
            map.Dispose();
        }
    }
}
