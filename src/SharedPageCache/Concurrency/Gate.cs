using System.Diagnostics;

namespace SharedPageCache.Concurrency;

/// <summary>
/// A file's gate: many may pass it together, or one alone; one who waits to be alone stops newcomers, and one who is first in line
/// (a clone) also stops those who wait to be alone, so that it is not starved by writers.
/// </summary>
/// <remarks>
/// Four bytes: bit 31 = held alone, bit 30 = somebody waits to be alone, bit 29 (with bit 30) = somebody is first in line, the rest
/// counts those inside together. All changes are interlocked, so entering and leaving are full fences. Who goes in alone takes the wishes that
/// it may pass with it: those who still wait set them again, and none outlives its waiters, for they leave only by going in. Sections are in memory and short.
/// </remarks>
internal struct Gate
{
    private const int Alone = 1 << 31;
    private const int Waiting = 1 << 30;
    private const int First = 1 << 29;
    private const int CountMask = First - 1;

    private int _word;

    public readonly bool IsHeldAlone => (_word & Alone) != 0;

    public void EnterShared()
    {
        Backoff backoff = default;
        while (true)
        {
            var word = Atomic.LoadAcquire(ref _word);
            if ((word & (Alone | Waiting)) == 0 && Atomic.CompareExchange(ref _word, word + 1, word) == word)
            {
                return;
            }

            backoff.Once();
        }
    }

    public void ExitShared()
    {
        Debug.Assert((_word & CountMask) != 0, "only who entered may leave");
        Atomic.Decrement(ref _word);
    }

    public void EnterAlone() => EnterAlone(Waiting);

    /// <summary>Goes in alone before all others who wait.</summary>
    public void EnterFirst() => EnterAlone(Waiting | First);

    /// <param name="wishes">What is set while the caller waits, and does not stop it if others have set it.</param>
    private void EnterAlone(int wishes)
    {
        Backoff backoff = default;
        while (true)
        {
            var word = Atomic.LoadAcquire(ref _word);
            if ((word & ~wishes) == 0)
            {
                if (Atomic.CompareExchange(ref _word, Alone, word) == word)
                {
                    return;
                }
            }
            else if ((word & wishes) != wishes)
            {
                // Lost to a newcomer at worst; the loop sets it again.
                Atomic.CompareExchange(ref _word, word | wishes, word);
            }

            backoff.Once();
        }
    }

    /// <summary>Goes in alone if nobody is inside and nobody waits to be.</summary>
    public bool TryEnterAlone() => Atomic.CompareExchange(ref _word, Alone, 0) == 0;

    public void ExitAlone()
    {
        Debug.Assert(IsHeldAlone, "only who is alone may leave so");
        while (true)
        {
            var word = Atomic.LoadAcquire(ref _word);
            if (Atomic.CompareExchange(ref _word, word & ~Alone, word) == word)
            {
                return;
            }
        }
    }
}
