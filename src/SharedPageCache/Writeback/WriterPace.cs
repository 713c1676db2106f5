using SharedPageCache.Concurrency;

namespace SharedPageCache.Writeback;

/// <summary>
/// The account by which writers of a volume are slowed between throttle and limit: each page written has a price, in pages
/// written back, from nothing at the throttle to one at the limit.
/// </summary>
/// <remarks>
/// <para>
/// At the limit writers can be no faster than write-back; where between the two the volume comes to rest follows from how much
/// faster they would like to be. So they wait for some pages each, again and again, and not all of them at the end for
/// everything. Counted, not timed: the same writes and write-backs give the same waits.
/// </para>
/// <para>
/// <b>Tickets.</b> A charge adds its price to what is due, and gives the number of settled pages (of the whole life of the volume) at
/// which that is paid. Tickets only rise, so writers go on in the order in which they were charged. Every ticket is
/// reached if all dirty pages are written: a page's price is at most the page itself.
/// </para>
/// <para>
/// <b>Credit.</b> What was written back and is not used up yet is kept for later writes, up to a batch: a batch ends as one, and lets a
/// batch of pages by. The account is closed when the volume falls below the throttle.
/// </para>
/// </remarks>
internal sealed class WriterPace(int mostCredit)
{
    /// <summary>The price of a page at the limit.</summary>
    public const int Full = 1024;

    private TinyLock _lock;
    private bool _isOpen;

    /// <summary>Prices so far, less what has lapsed, beginning with the settled pages when the account was opened.</summary>
    private long _due;

    /// <summary>Charges a write.</summary>
    /// <param name="pages">Pages that it has made dirty.</param>
    /// <param name="price">The price of each: 0 below the throttle, up to <see cref="Full"/>.</param>
    /// <param name="settled">How many pages have stopped being dirty so far.</param>
    /// <returns>How many must have, before the writer goes on.</returns>
    public long Charge(int pages, int price, long settled)
    {
        _lock.Enter();
        try
        {
            if (price == 0)
            {
                _isOpen = false;
                return 0;
            }

            _due = Math.Max(_isOpen ? _due : settled * Full, (settled - mostCredit) * Full) + ((long)pages * price);
            _isOpen = true;
            return _due / Full;
        }
        finally
        {
            _lock.Exit();
        }
    }
}
