using SharedPageCache.Cow;
using SharedPageCache.Sqlite.Homes;

namespace SharedPageCache.Sqlite.Files;

/// <summary>
/// Lets SQLite begin only what the home has room to end: a transaction that is refused at its journal is rolled back
/// without a write, and one that is let in can be committed and can be rolled back.
/// </summary>
/// <remarks>
/// <para>
/// A home that never overwrites what branches share needs new blocks for what a rollback puts back too. So a full home that is noticed at
/// the sync of a database would leave it with a hot journal that cannot be played back before somebody makes room. But each
/// page of a database that a transaction changes is written to the journal or the log first, and there it can be refused
/// (SQLITE_FULL). It is charged for itself, for its commit and for its rollback, together with the metadata that showing
/// scattered pages takes. Growth of a database is charged too; all other writes to it were paid for before.
/// </para>
/// <para>
/// Charges are taken from a credit of pages by one interlocked subtraction. Only when it is used up is the home looked at:
/// first how much is dirty, then how much is free; what a flush moves from the one to the other meanwhile counts twice. A
/// credit is at most half of the room, for there are those who ask nobody: branches, names, databases without a journal.
/// </para>
/// </remarks>
internal sealed class RoomKeeper(IHome home, PageCache cache)
{
    /// <summary>A journal's page, the page that it lets be changed, and that page put back.</summary>
    private const int PagesOfJournalPage = 3;

    /// <summary>A page that is alone in its run takes a leaf, a node above it, and one to spare.</summary>
    private const int BlocksOfMetadata = 3;

    /// <summary>What is smaller are heads and checksums of pages that come with them.</summary>
    private const int LeastBytes = 512;

    private const long MostCredit = 4096;

    private readonly Lock _lock = new();
    private readonly int _pageSize = cache.Options.PageSize;
    private readonly long _blocksOfPage = (cache.Options.PageSize / home.Room.BlockSize) + BlocksOfMetadata;
    private long _credit;

    /// <summary>Lets so many bytes be written to a journal or a log.</summary>
    /// <exception cref="VolumeFullException">There is no room to end what would be begun.</exception>
    public void AdmitToJournal(int bytes)
    {
        if (bytes >= LeastBytes)
        {
            Admit((bytes + _pageSize - 1) / _pageSize * PagesOfJournalPage);
        }
    }

    /// <summary>Lets a database grow by so many bytes.</summary>
    /// <exception cref="VolumeFullException">There is no room.</exception>
    public void AdmitGrowth(long bytes) => Admit((bytes + _pageSize - 1) / _pageSize);

    private void Admit(long pages)
    {
        if (Interlocked.Add(ref _credit, -pages) < 0)
        {
            Refill(pages);
        }
    }

    private void Refill(long pages)
    {
        lock (_lock)
        {
            if (Volatile.Read(ref _credit) >= 0)
            {
                // Somebody else has looked meanwhile, and what he found was enough for both.
                return;
            }

            var room = Room();
            if (room < pages)
            {
                home.Reclaim();
                room = Room();
            }

            Interlocked.Exchange(ref _credit, Math.Clamp(room / 2 - pages, 0, MostCredit));
            if (room < pages)
            {
                throw new VolumeFullException(pages * _blocksOfPage, home.Room.FreeBlocks, "a transaction");
            }
        }
    }

    /// <summary>How many more pages can be made dirty.</summary>
    private long Room()
    {
        var dirty = cache.GetStatistics().DirtyBytes / _pageSize;
        var room = home.Room;
        return (room.FreeBlocks - room.KeptBlocks) / _blocksOfPage - dirty;
    }
}
