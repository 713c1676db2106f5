using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace SharedPageCache.Concurrency;

/// <summary>
/// A mutual-exclusion lock of four bytes for short in-memory sections: no I/O, no callback, no allocation that can fail
/// for long while it is held. Not recursive. The place of each lock in the total order stands in
/// <c>docs/synchronization.md</c>.
/// </summary>
/// <remarks>Enter is an interlocked exchange (full fence); Exit is a store-release.</remarks>
internal struct TinyLock
{
    private int _held;

    public readonly bool IsHeld => _held != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Enter()
    {
        if (Atomic.CompareExchange(ref _held, 1, 0) != 0)
        {
            EnterSlow();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryEnter() => _held == 0 && Atomic.CompareExchange(ref _held, 1, 0) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Exit()
    {
        Debug.Assert(_held != 0, "a lock is released only by its holder");
        Atomic.StoreRelease(ref _held, 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnterSlow()
    {
        Backoff backoff = default;
        do
        {
            backoff.Once();
        }
        while (Atomic.LoadAcquire(ref _held) != 0 || Atomic.CompareExchange(ref _held, 1, 0) != 0);
    }
}
