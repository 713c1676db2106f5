using System.Diagnostics;
using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <content>Which pages the file has used, and what that counts in the leaves that it shows.</content>
internal sealed partial class FileMapping
{
    private const int FewAttempts = 8;

    private TouchMap? _touches;

    public TouchMap? Touches
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Atomic.LoadAcquire(ref _touches);
    }

    public TouchMap MakeTouches()
    {
        var pages = (Tree.Length - 1 >> Volume.PageShift) + 1;
        var fresh = new TouchMap(Math.Max(1, pages), Volume.Ledger);
        var known = Atomic.CompareExchange(ref _touches, fresh, null);
        if (known is null)
        {
            fresh.Open();
        }

        return known ?? fresh;
    }

    /// <summary>
    /// Notes that this file has used a page of a leaf. Bit and count change inside the gate, which who leaves a leaf holds
    /// alone: so the count goes with the leaf, and a closed file has none.
    /// </summary>
    public void Touch(long page, Leaf leaf)
    {
        if (Touches is { } known && known.IsSet(page))
        {
            return;
        }

        _gate.EnterShared();
        try
        {
            if (!IsClosed && Reaches(Window.Of(page), leaf) && (Touches ?? MakeTouches()) is var touches && touches.TrySet(page))
            {
                leaf.Lock.Enter();
                var isCounted = leaf.TryAddTouch(Window.SlotOf(page), Volume.Ledger);
                leaf.Lock.Exit();
                if (isCounted)
                {
                    Account.FirstUses.Increment();
                }
                else
                {
                    touches.Clear(page);
                }
            }
        }
        finally
        {
            _gate.ExitShared();
        }
    }

    /// <summary>
    /// A leaf was buried, and its counts with it: what this file has used of it is forgotten, to be counted anew in the
    /// leaf that follows.
    /// </summary>
    /// <remarks>
    /// A bit that is counted was set before the leaf died, so who has buried the leaf sees it. A bit that is set later is
    /// taken back by who set it, inside the gate. Never waits for long: it is called from the midst of a fault, perhaps by an engine
    /// that holds a lock which a clone's hook waits for inside this gate.
    /// </remarks>
    /// <returns>False if the gate does not come free.</returns>
    public bool TryForgetTouches(long window, Leaf buried)
    {
        if (Touches is not { } touches || !touches.HasAny(window))
        {
            return true;
        }

        Backoff backoff = default;
        for (var attempt = 0; !_gate.TryEnterAlone(); attempt++)
        {
            if (attempt == FewAttempts)
            {
                return false;
            }

            backoff.Once();
        }

        try
        {
            if (Reaches(window, buried))
            {
                touches.Drain(window, window, visit: null);
            }
        }
        finally
        {
            _gate.ExitAlone();
        }

        return true;
    }

    /// <summary>The last handle is gone: what the file had used is taken off the books.</summary>
    public void Retire()
    {
        Debug.Assert(IsClosed, "only a closed file retires");
        _gate.EnterAlone();
        try
        {
            var touches = Touches;
            if (touches is not null)
            {
                DropTouches(Tree, 0, long.MaxValue);
                touches.Close();
            }
        }
        finally
        {
            _gate.ExitAlone();
        }
    }

    private void DropTouches(PageTree tree, long firstWindow, long lastWindow)
    {
        Leaf? leaf = null;
        var window = -1L;
        Touches?.Drain(firstWindow, lastWindow, page =>
        {
            if (Window.Of(page) != window)
            {
                window = Window.Of(page);
                leaf = tree.FindLeaf(window);
            }

            if (leaf is not null)
            {
                leaf.Lock.Enter();
                leaf.RemoveTouch(Window.SlotOf(page), Volume.Ledger);
                leaf.Lock.Exit();
            }
        });
    }
}
