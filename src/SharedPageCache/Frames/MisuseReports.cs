using SharedPageCache.Concurrency;

namespace SharedPageCache.Frames;

/// <summary>
/// Where checked mode tells what it finds: to the listener of the options, at once and on the thread that found it, and, if
/// memory was overwritten, to every self-check from then on.
/// </summary>
/// <remarks>
/// A listener runs under whatever locks the finder holds, on finalizer threads too. So it may not call the cache (calls that
/// could wait throw), and what it throws is swallowed: a report never ends a process that misuse has not ended.
/// </remarks>
internal sealed class MisuseReports(Action<CacheMisuse>? listener)
{
    private const int MostKept = 64;

    private readonly List<string> _corruption = [];
    private TinyLock _lock;
    private long _count;

    /// <summary>How many there were.</summary>
    public long Count => Atomic.LoadAcquire(ref _count);

    public void Report(CacheMisuse misuse)
    {
        Atomic.Add(ref _count, 1);
        if (misuse.Kind is CacheMisuseKind.WriteAfterFree or CacheMisuseKind.FrozenPageChanged or CacheMisuseKind.StaleDescriptor)
        {
            _lock.Enter();
            if (_corruption.Count < MostKept)
            {
                _corruption.Add(misuse.Message);
            }

            _lock.Exit();
        }

        if (listener is null)
        {
            return;
        }

        using (EngineCode.Enter("PageCacheOptions.CheckedReport"))
        {
            try
            {
                listener(misuse);
            }
            catch (Exception)
            {
                // On a finalizer or a background thread it would end the process.
            }
        }
    }

    /// <summary>Overwritten memory that was found so far, in words.</summary>
    public string[] Corruption()
    {
        _lock.Enter();
        string[] found = [.. _corruption];
        _lock.Exit();
        return found;
    }
}
