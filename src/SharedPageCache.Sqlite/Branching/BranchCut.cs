using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Homes;

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
/// at the price of nothing for those who write and a constant for the branch: no wait for a transaction, and no copy kept for
/// each. Mostly there is nothing to restore: see "What is left out".
/// </para>
/// <para>
/// <b>One moment without a wait.</b> Clones of two files are made one after the other. Whoever changes a file of the database
/// passes through <see cref="Database.Moment"/> before it begins; the cut holds it. So no change begins between the first
/// clone and the last one. One may be under way, and take effect between the clones or not; writers are not waited for, as
/// they may be waiting for the device. (In a directory it is the other way round: writers wait, for a clone is a system
/// call, and before it what is dirty is written back.) That is harmless:
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
internal static class BranchCut
{
    /// <summary>Cuts a branch off a database.</summary>
    /// <param name="database">The database.</param>
    /// <param name="name">What the branch is called.</param>
    /// <param name="home">Where both are.</param>
    /// <param name="exists">Whether the store has a file of a name, for super-journals.</param>
    /// <returns>The branch's files under their names: what is beside a database has its name before the database has.</returns>
    public static NewFiles Take(Database database, string name, IHome home, Func<string, bool> exists)
    {
        var files = new NewFiles(home);
        lock (database.Moment)
        {
            try
            {
                CutJournal(database, name, files, exists);
                if (database.Wal is { Length: > 0 } wal)
                {
                    files.Clone(wal, name + DatabaseName.WalSuffix);
                }

                files.Clone(database.Main, name);
                return files;
            }
            catch
            {
                files.GiveUp();
                throw;
            }
        }
    }

    private static void CutJournal(Database database, string name, NewFiles files, Func<string, bool> exists)
    {
        if (database.Journal is not { Length: > 0, MayBeHot: true } journal || database.Lock.IsBeingPrepared)
        {
            return;
        }

        var clone = files.Clone(journal, name + DatabaseName.JournalSuffix);
        if (SuperJournalRecord.Find(clone.Pages) is { } super)
        {
            if (exists(super.Name))
            {
                clone.SetLength(super.Start);
            }
            else
            {
                files.GiveUp();
            }
        }
    }
}
