using SharedPageCache.Concurrency;

namespace SharedPageCache.Writeback;

/// <content>How much may be dirty, and how writers are slowed before that.</content>
/// <remarks>
/// <para>
/// <b>Limits are the cache's</b>, and each volume has a share that it may always use (<see cref="WritebackLimits.ShareOf"/>): a volume
/// that has little dirty is neither slowed nor stopped by what others have. So who waits for room here has enough dirty pages in
/// this very volume that their write-back makes room, and no volume waits for another one's device; a port may
/// write to another volume and flush it.
/// </para>
/// <para>
/// <b>A slowed writer</b> holds nothing: its write is done. It goes on when it has paid, when the volume is below the throttle, when a
/// round of write-back that began after it came has failed for any page (it is the limit that tells errors), when the
/// volume is detached, or when it is cancelled.
/// </para>
/// </remarks>
internal sealed partial class VolumeWriter
{
    private readonly WriterPace _pace;
    private long _failedRound;

    private int Share => _limits.ShareOf(_total.Volumes);

    private bool IsMuch =>
        _volume.Dirty.Count >= _limits.Start || _total.Pages > _limits.Throttle
        || _volume.LingeringFiles - Atomic.LoadAcquire(ref _leftLingering) > Math.Max(1, _limits.Lingering / Math.Max(1, _total.Volumes));

    public bool HasRoomFor(int pages) =>
        _volume.Dirty.Count + pages <= Share
        || (_total.Pages + pages <= _limits.Most && !(_limits.MostAge is { } most && OldestAge > most));

    public ValueTask PayAsync(int pages, CancellationToken cancellationToken)
    {
        if (pages == 0)
        {
            return default;
        }

        var ticket = _pace.Charge(pages, Price(), _volume.Dirty.Settled);
        return ticket <= _volume.Dirty.Settled || EngineCode.IsInPort(_volume)
            ? default
            : new ValueTask(PayAsync(ticket, cancellationToken));
    }

    private async Task PayAsync(long ticket, CancellationToken cancellationToken)
    {
        _services.Counters.WritesThrottled.Increment();
        var since = Begin();
        Atomic.Increment(ref _waiters);
        try
        {
            while (_volume.Dirty.Settled < ticket && Price() > 0 && Atomic.LoadAcquire(ref _failedRound) <= since && !_volume.IsDetached)
            {
                // See WaitAsync for the order.
                var pulse = _rooms.WaitAsync(cancellationToken);
                Noted();
                _wake.Set();
                await pulse.ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The write is done.
        }
        finally
        {
            Atomic.Decrement(ref _waiters);
        }
    }

    /// <summary>The price of a page now: nothing up to the throttle, in full at the limit; by size or by age, whichever is more.</summary>
    private int Price()
    {
        if (_volume.Dirty.Count <= Share)
        {
            return 0;
        }

        var bySize = PriceOf(_total.Pages, _limits.Throttle, _limits.Most);
        return _limits.ThrottleAge is { } throttle
            ? Math.Max(bySize, PriceOf(OldestAge.Ticks, throttle.Ticks, (_limits.MostAge ?? throttle).Ticks))
            : bySize;
    }

    private static int PriceOf(long value, long throttle, long most) =>
        value <= throttle ? 0 : value >= most ? WriterPace.Full : (int)Math.Max(1, (value - throttle) * WriterPace.Full / (most - throttle));

    private TimeSpan OldestAge => _volume.Dirty.OldestSince() is { } since ? _time.GetElapsedTime(since) : TimeSpan.Zero;
}
