using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>What a file owns, and what changes its truth through the cache.</summary>
internal sealed partial class FileMapping
{
    private byte _isSealed;

    /// <summary>Whether nothing is written to the file any more. Exact inside the gate.</summary>
    public bool IsSealed => Atomic.LoadAcquire(ref _isSealed) != 0;

    /// <summary>
    /// Seals the file, for good. Whatever changes what the file shows does so inside the gate, and looks there whether it may: who went in
    /// before is out again when this is alone, and who goes in later sees the seal.
    /// </summary>
    public void Seal()
    {
        _gate.EnterAlone();
        Atomic.StoreRelease(ref _isSealed, 1);
        _gate.ExitAlone();
    }

    /// <exception cref="NotSupportedException">The file is sealed.</exception>
    public void ThrowIfSealed()
    {
        if (IsSealed)
        {
            throw new NotSupportedException($"File {Name ?? Id.ToString()} cannot be written: it is sealed. A clone of it can.");
        }
    }

    /// <exception cref="ObjectDisposedException">The last handle was closed, or the volume was detached.</exception>
    /// <exception cref="NotSupportedException">The file is sealed.</exception>
    public void ThrowIfUnwritable()
    {
        ThrowIfClosed();
        ThrowIfSealed();
    }

    /// <summary>
    /// Whether a leaf of this file, and all nodes on the way to it, are this file's alone. Inside the gate: who is inside
    /// together with others finds the same until it leaves.
    /// </summary>
    public bool Owns(long window, Leaf leaf) =>
        leaf.Stamp == Stamp && Tree is var tree && tree.FindLeaf(window) == leaf && tree.IsOwnedTo(window, Stamp);

    /// <summary>
    /// Makes the leaf of a window this file's own, by copying what it does not own of the path. Inside the gate, alone,
    /// and under the binding lock.
    /// </summary>
    /// <returns>The leaf; null if the window has none (any more): ask the engine.</returns>
    public Leaf? Diverge(long window)
    {
        var tree = Tree;
        var leaf = tree.FindLeaf(window);
        if (leaf is null || leaf.IsDead || Owns(window, leaf))
        {
            return leaf is { IsDead: true } ? null : leaf;
        }

        DropTouches(tree, window, window);
        leaf.Lock.Enter();
        var copy = leaf.IsDead ? null
            : leaf.Stamp == Stamp ? leaf
            : leaf.CopyFor(Stamp, leaf.Slots.Length, newer: null, leaf.Age, Volume.PageShift, Volume.Ledger);
        leaf.Lock.Exit();
        if (copy is not null)
        {
            copy.Family.Adopt(Family, window);
            Put(window, copy);
        }

        return copy;
    }

    /// <summary>
    /// Runs an engine's hook that changes this file's truth, and counts the change. Inside the gate, alone, and under the
    /// binding lock; the caller changes the tree in the same hold. If the hook throws nothing has changed.
    /// </summary>
    public void RunHook(Action<IWritableExtentMap> hook, string name, string port = nameof(IWritableExtentMap))
    {
        var before = SequenceOrUnknown();
        using (EngineCode.Enter($"{port}.{name}"))
        {
            hook((IWritableExtentMap)Extents);
        }

        Volume.OwePersist();
        Atomic.Add(ref _invalidations, 1);
        NoteContent();
        NoteOwnChange(before);
    }

    /// <summary>
    /// The file's truth has changed through the cache, and its tree with it: what was in line with it before is so still.
    /// Under the binding lock.
    /// </summary>
    /// <param name="before">The sequence before the change.</param>
    public void NoteOwnChange(long before)
    {
        var after = SequenceOrUnknown();
        if (before == UnknownSequence || after == UnknownSequence)
        {
            return;
        }

        Atomic.CompareExchange(ref _sharedSequence, after, before);
        if (after != before)
        {
            // One step, as the port demands: what the engine changes by itself at the same time is as untold as it was.
            Atomic.Add(ref _toldSequence, 1);
        }
    }

    public long SequenceOrUnknown()
    {
        try
        {
            return Extents.Sequence;
        }
        catch (Exception)
        {
            return UnknownSequence;
        }
    }

    /// <summary>Pages are holes from now on. Inside the gate, alone, and under the binding lock.</summary>
    /// <param name="firstPage">The first page.</param>
    /// <param name="lastPage">The last page.</param>
    /// <param name="lost">Receives the provisional references that the file no longer shows.</param>
    public void Punch(long firstPage, long lastPage, List<PageReference> lost)
    {
        Volume.Cuts.Add(this, firstPage, lastPage);
        DropTouches(Tree, Window.Of(firstPage), Window.Of(lastPage));
        Store(TreeSurgery.Punch(this, firstPage, lastPage, lost));
    }

    /// <summary>
    /// The file has another length from now on. What lies behind a shorter one is cut off; a longer one reads zero there.
    /// Inside the gate, alone, and under the binding lock.
    /// </summary>
    /// <param name="length">The new length in bytes.</param>
    /// <param name="lost">Receives the provisional references that the file no longer shows.</param>
    public void Reshape(long length, List<PageReference> lost)
    {
        var old = Tree;
        var fresh = TreeSurgery.Reshape(this, length, lost, out var firstWindow, out var firstCut);
        Volume.Cuts.Add(this, firstCut, long.MaxValue);
        DropTouches(old, firstWindow, long.MaxValue);
        Become(fresh);
    }

    /// <summary>Another version, perhaps of another length, with one release. The touches of what goes were dropped.</summary>
    private void Become(PageTree fresh)
    {
        var old = Tree;
        FitTouches(old, fresh);
        Store(fresh);
        Volume.Ledger.AddLogicalBytes(fresh.Length - old.Length);
    }

    /// <summary>
    /// This file shows pages of another one from now on, whose failed write-back nobody was told yet: it will be told too, in its own
    /// terms, for it may not even know the other file. Without a failure it costs nothing.
    /// </summary>
    /// <param name="origin">The other file. Inside its gate, alone.</param>
    /// <param name="delta">How many bytes farther on this file shows the pages.</param>
    public void InheritUntold(FileMapping origin, long delta = 0)
    {
        if (origin.WritingIfAny?.Untold is not { } error)
        {
            return;
        }

        var offset = error.Offset < 0 ? -1 : Math.Max(-1, error.Offset + delta);
        Writing.Report(new CacheWritebackException(
            Id, Name, offset, error.Length, error.Step, error.InnerException?.Message ?? error.Message, error.InnerException));
    }

    /// <summary>
    /// Whether any page may be shown by another file, whatever its extents say: a relative's, or one of a range that the file or a
    /// relative has shared. Relatives that are closed count for ranges: what they shared, this file shows.
    /// </summary>
    public bool MayShareAny => Family.HasRelatives || Family.SharedRanges > 0;

    /// <summary>What is shared with others by now: an engine that was told at one such moment is told again at another.</summary>
    public SharingMoment Sharing => new(Stamp, Family.SharedRanges);

    /// <summary>Whether a page may be shown by another file too: a relative, or somebody else on the disk.</summary>
    public bool IsShared(Leaf leaf, int slot)
    {
        if (MayShareAny)
        {
            return true;
        }

        var start = slot << Volume.PageShift;
        foreach (var run in leaf.Runs)
        {
            if (run.End > start && run.Start < start + Volume.PageSize && (run.Flags & ExtentFlags.Shared) != 0)
            {
                return true;
            }
        }

        return false;
    }
}
