using System.Diagnostics;
using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// One open file: its current page tree and what tells whether an answer of its engine still holds.
/// </summary>
/// <remarks>
/// <para><b>Fields and guards.</b></para>
/// <code>
/// field          written                               read
/// _tree          inside the gate, alone, with release  by anybody, with acquire
/// _invalidations inside the gate, alone                by faults, before asking and inside the gate or a leaf's lock
/// _sharedSequence, _invalidatedSequence: inside the gate, alone; read inside the gate
/// _stamp         inside the gate, alone                inside the gate
/// _handles       under the volume's files lock         the same
/// _writing       once, by compare-and-swap             by anybody, with acquire
/// IndexInFamily  under the clone family's lock         the same
/// _touches       once, by compare-and-swap             by anybody, with acquire
/// </code>
/// <para>
/// A fault publishes a leaf inside the gate (together with others) and fills a slot under the leaf's lock; in both cases
/// only if the file still has the truth that the answer was about: the engine's sequence and the count of invalidations
/// are those of before the question, and the file still reaches the leaf.
/// </para>
/// <para>
/// <b>An engine that changes one file's extents</b> moves the sequence, then the extents, then calls
/// <see cref="Invalidate"/>; no gate covers the three. In between, what this file learns is not what its relatives show:
/// a leaf that was asked for under another sequence than the one at which the tree was shared never goes into a shared
/// node, and a clone made in between does not take over the tree.
/// </para>
/// <para>
/// <b>Writing.</b> The file's stamp says what it alone owns: a node, a leaf or a provisional frame with an equal stamp,
/// compared inside the gate. Writers are inside together; a clone is inside alone and gives both sides new stamps, so from
/// then on neither owns what both show. What is not owned is copied, by one thread alone in the gate.
/// </para>
/// </remarks>
internal sealed class FileMapping
{
    /// <summary>This object and one handle, as booked for the memory limit.</summary>
    public const int FixedBytes = 256;

    private const long UnknownSequence = long.MinValue;

    private static long s_lastStamp;

    private Gate _gate;
    private PageTree? _tree;
    private FileWriting? _writing;
    private long _stamp;
    private TouchMap? _touches;
    private long _invalidations;

    /// <summary>The sequence at which this file had the same truth as all who share nodes of its tree.</summary>
    private long _sharedSequence;

    /// <summary>The sequence at the last invalidation: what changed until then is no longer in the tree.</summary>
    private long _invalidatedSequence;

    /// <summary>Leaves with opaque runs that were made from this file's own answers, with the sequence of the answer.</summary>
    private ConditionalWeakTable<Leaf, object>? _opaqueLeaves;
    private int _handles = 1;
    private int _deleted;

    public FileMapping(
        VolumeMap volume, IExtentMap extents, FileId id, string? name, SecurityDomain domain, PageTree tree, CloneFamily family,
        bool isInLine = true)
    {
        Volume = volume;
        Extents = extents;
        Id = id;
        Name = name;
        Domain = domain;
        Family = family;
        _tree = tree;
        _stamp = NewStamp();
        _invalidatedSequence = SequenceOrUnknown();
        _sharedSequence = isInLine ? _invalidatedSequence : UnknownSequence;
    }

    public VolumeMap Volume { get; }

    public IExtentMap Extents { get; }

    public FileId Id { get; }

    public string? Name { get; }

    public SecurityDomain Domain { get; }

    public CloneFamily Family { get; }

    public int IndexInFamily { get; set; }

    /// <summary>A number of the file's own, to sort files by.</summary>
    public long Order { get; } = NewStamp();

    /// <summary>The page after the last one that a fault brought in, and how far the next read-ahead reaches.</summary>
    public long ReadAheadNext { get; set; } = -1;

    public int ReadAheadPages { get; set; }

    /// <summary>The current version. After close, the version at close: views of it die with their frames.</summary>
    public PageTree Tree
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Atomic.LoadAcquire(ref _tree)!;
    }

    public TouchMap? Touches
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Atomic.LoadAcquire(ref _touches);
    }

    /// <summary>Whether the engine lets the file be written.</summary>
    public bool IsWritable => Volume.Placement is not null && Extents is IWritableExtentMap;

    /// <summary>What the file alone shows carries this stamp. Inside the gate.</summary>
    public long Stamp => Atomic.LoadAcquire(ref _stamp);

    /// <summary>Counts the changes of the file's truth other than writes. What was prepared under another count is void.</summary>
    public long Edition => Atomic.LoadAcquire(ref _invalidations);

    public FileWriting? WritingIfAny => Atomic.LoadAcquire(ref _writing);

    public FileWriting Writing
    {
        get
        {
            if (Atomic.LoadAcquire(ref _writing) is { } known)
            {
                return known;
            }

            var fresh = new FileWriting();
            return Atomic.CompareExchange(ref _writing, fresh, null) ?? fresh;
        }
    }

    public bool IsClosed => Atomic.LoadAcquire(ref _handles) == 0 || IsDeleted;

    /// <summary>Whether the file was deleted: it is of no more use, whoever has it open.</summary>
    public bool IsDeleted => Atomic.LoadAcquire(ref _deleted) != 0;

    public void MarkDeleted() => Atomic.Exchange(ref _deleted, 1);

    /// <exception cref="ObjectDisposedException">The last handle was closed, or the volume was detached.</exception>
    public void ThrowIfClosed()
    {
        if (IsClosed || Volume.IsDetached)
        {
            throw new ObjectDisposedException(
                "SharedPageCache.MappedFile", $"The file {Name ?? Id.ToString()} is closed, or its volume is detached.");
        }
    }

    /// <summary>What an answer of the engine is valid for: taken before the question, compared before its use.</summary>
    public readonly record struct Cookie(long Sequence, long Invalidations);

    /// <exception cref="ExtentMapException">The engine cannot even say its sequence.</exception>
    public Cookie TakeCookie()
    {
        var invalidations = Atomic.LoadAcquire(ref _invalidations);
        try
        {
            return new Cookie(Extents.Sequence, invalidations);
        }
        catch (Exception error)
        {
            throw new ExtentMapException(Id, Name, 0, Tree.Length, $"the engine failed to give its sequence: {error.Message}", error);
        }
    }

    /// <summary>
    /// Whether an answer still holds. Inside the gate, or under the lock of a leaf that the file reaches. Never throws: it
    /// is asked while pins and locks are held, and who asks again for a cookie hears of the engine's failure.
    /// </summary>
    public bool Holds(Cookie cookie)
    {
        try
        {
            return TakeCookie() == cookie;
        }
        catch (ExtentMapException)
        {
            return false;
        }
    }

    /// <summary>A number that no file has had before.</summary>
    public static long NewStamp() => Atomic.Add(ref s_lastStamp, 1);

    public void EnterTogether() => _gate.EnterShared();

    public void LeaveTogether() => _gate.ExitShared();

    public void EnterAlone() => _gate.EnterAlone();

    public void LeaveAlone() => _gate.ExitAlone();

    public void AddHandle() => Atomic.Increment(ref _handles);

    public bool RemoveHandle() => Atomic.Decrement(ref _handles) == 0;

    /// <summary>Whether the file shows this very leaf at a window now.</summary>
    public bool Reaches(long window, Leaf leaf) => Tree.FindLeaf(window) == leaf;

    /// <summary>
    /// Publishes a leaf that was made from an answer with this cookie.
    /// </summary>
    /// <returns>
    /// The leaf that the file shows now (somebody else's if it came first), or null if the answer no longer holds.
    /// </returns>
    public Leaf? PublishLeaf(long window, Leaf leaf, Cookie cookie)
    {
        _gate.EnterShared();
        try
        {
            if (!Holds(cookie) || IsClosed)
            {
                return null;
            }

            NoteOpaque(leaf, cookie);
            if (!Family.HasRelatives || cookie.Sequence == _sharedSequence)
            {
                // Adopted before it can be reached: a walk from a frame never misses a file that shows the leaf.
                leaf.Family.Adopt(Family, window);
                return Tree.Publish(window, leaf, Volume.Ledger);
            }
        }
        finally
        {
            _gate.ExitShared();
        }

        return ExchangeLeaf(window, old: null, leaf, cookie);
    }

    /// <summary>
    /// Leaves a leaf that is too old (or none) for another one, by copying this file's path; its other sharers keep what
    /// they have.
    /// </summary>
    public Leaf? ExchangeLeaf(long window, Leaf? old, Leaf leaf, Cookie cookie)
    {
        _gate.EnterAlone();

        // No publication of a write-back comes between the look at the sequence and the exchange.
        Volume.Binding.Enter();
        try
        {
            if (!Holds(cookie) || IsClosed)
            {
                return null;
            }

            var tree = Tree;
            var current = tree.FindLeaf(window);
            if (current != old)
            {
                return current;
            }

            NoteOpaque(leaf, cookie);
            DropTouches(tree, window, window);
            if (current is { HasProvisionals: true })
            {
                var own = Carried(window, current, leaf.Slots.Length, leaf, leaf.Age);
                Put(window, window, own);
                return own;
            }

            leaf.Family.Adopt(Family, window);
            Put(window, window, leaf);
            return leaf;
        }
        finally
        {
            Volume.Binding.Exit();
            _gate.ExitAlone();
        }
    }

    /// <summary>
    /// Whether an opaque page of a leaf, read through this file now, is what all who share the leaf show. Not if the
    /// file's truth may have moved on since the leaf came to it: then it leaves the leaf and asks for its own.
    /// </summary>
    public bool MayLoadThrough(Leaf leaf, Cookie cookie) =>
        !leaf.Runs.HasOpaque
        || !Family.HasRelatives
        || cookie.Sequence == _sharedSequence
        || (Atomic.LoadAcquire(ref _opaqueLeaves) is { } own && own.TryGetValue(leaf, out var sequence)
            && (long)sequence == cookie.Sequence);

    /// <summary>Takes a leaf out of this file's tree, by copying its path.</summary>
    public void Leave(long window, Leaf leaf)
    {
        _gate.EnterAlone();
        try
        {
            var tree = Tree;
            if (tree.FindLeaf(window) == leaf)
            {
                DropTouches(tree, window, window);
                DropWindows(window, window);
            }
        }
        finally
        {
            _gate.ExitAlone();
        }
    }

    private void NoteOpaque(Leaf leaf, Cookie cookie)
    {
        if (leaf.Runs.HasOpaque)
        {
            var fresh = new ConditionalWeakTable<Leaf, object>();
            (Atomic.CompareExchange(ref _opaqueLeaves, fresh, null) ?? fresh).AddOrUpdate(leaf, cookie.Sequence);
        }
    }

    /// <summary>The file's truth changed in a range of windows: what is known of it is dropped from this file's tree.</summary>
    public void Invalidate(long firstWindow, long lastWindow)
    {
        _gate.EnterAlone();
        try
        {
            // The count first: whoever fills a slot under a leaf's lock after this sees it, or filled before the swap.
            Atomic.Add(ref _invalidations, 1);
            _invalidatedSequence = SequenceOrUnknown();
            DropTouches(Tree, firstWindow, lastWindow);
            DropWindows(firstWindow, lastWindow);
        }
        finally
        {
            _gate.ExitAlone();
        }
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
            Put(window, window, copy);
        }

        return copy;
    }

    /// <summary>
    /// Runs an engine's hook that changes this file's truth, and counts the change. Inside the gate, alone, and under the
    /// binding lock; the caller changes the tree in the same hold. If the hook throws nothing has changed.
    /// </summary>
    public void RunHook(Action<IWritableExtentMap> hook)
    {
        var before = SequenceOrUnknown();
        hook((IWritableExtentMap)Extents);
        Volume.OwePersist();
        Atomic.Add(ref _invalidations, 1);
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

        _sharedSequence = _sharedSequence == before ? after : _sharedSequence;
        _invalidatedSequence = _invalidatedSequence == before ? after : _invalidatedSequence;
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

    /// <summary>
    /// Pages are holes from now on. Inside the gate, alone, and under the binding lock.
    /// </summary>
    /// <param name="firstPage">The first page.</param>
    /// <param name="lastPage">The last page.</param>
    /// <param name="lost">Receives the provisional references that the file no longer shows.</param>
    public void Punch(long firstPage, long lastPage, List<PageReference> lost)
    {
        Volume.Cuts.Add(this, firstPage, lastPage);
        var (firstWindow, lastWindow) = (Window.Of(firstPage), Window.Of(lastPage));
        DropTouches(Tree, firstWindow, lastWindow);
        var partial = new List<(long Window, Leaf Leaf)>();
        Tree.ForEachLeaf(firstWindow, lastWindow, (window, leaf) =>
        {
            var first = (int)Math.Max(0, firstPage - (window << Window.Shift));
            var last = (int)Math.Min(leaf.Slots.Length - 1, lastPage - (window << Window.Shift));
            CollectProvisionals(leaf, first, last, lost);
            if (leaf.HasProvisionals && (first > 0 || last < leaf.Slots.Length - 1))
            {
                partial.Add((window, leaf));
            }
        });

        // The engine answers for what is dropped; only windows that keep dirty pages have to be cut page by page.
        Put(firstWindow, lastWindow, leaf: null);
        foreach (var (window, leaf) in partial)
        {
            var first = (int)Math.Max(0, firstPage - (window << Window.Shift));
            var last = (int)Math.Min(leaf.Slots.Length - 1, lastPage - (window << Window.Shift));
            var own = Carried(window, leaf, leaf.Slots.Length, newer: null, Leaf.Void);
            PunchSlots(own, first, last);
            Put(window, window, own);
        }
    }

    /// <summary>
    /// The file has another length from now on. What lies behind a shorter one is cut off; a longer one reads zero there.
    /// Inside the gate, alone, and under the binding lock.
    /// </summary>
    /// <param name="length">The new length in bytes.</param>
    /// <param name="lost">Receives the provisional references that the file no longer shows.</param>
    public void Reshape(long length, List<PageReference> lost)
    {
        var tree = Tree;
        var shift = Volume.PageShift;
        var (pages, oldPages) = (PagesOf(length), PagesOf(tree.Length));
        if (pages < oldPages)
        {
            Volume.Cuts.Add(this, pages, long.MaxValue);
            tree.ForEachLeaf(Window.Of(pages), long.MaxValue, (window, leaf) => CollectProvisionals(
                leaf, (int)Math.Max(0, pages - (window << Window.Shift)), leaf.Slots.Length - 1, lost));
        }

        // The leaf at the end has as many slots as there are pages: it is made anew, with the dirty pages that stay.
        var seam = Window.Of(Math.Max(0, Math.Min(pages, oldPages) - 1));
        DropTouches(tree, seam, long.MaxValue);
        var fresh = tree.WithLength(length, shift, Volume.Ledger, Stamp);
        if (tree.FindLeaf(seam) is { } end)
        {
            var kept = (int)Math.Min(Window.Pages, pages - (seam << Window.Shift));
            if (kept != end.Slots.Length)
            {
                fresh.With(seam, seam, kept > 0 && end.HasProvisionals ? Resized(end, seam, kept) : null, Volume.Ledger, Stamp);
            }
        }

        Atomic.StoreRelease(ref _tree, fresh);
        Volume.Ledger.AddLogicalBytes(length - tree.Length);
    }

    /// <summary>The provisional references that the file shows in a range of pages, with their pages.</summary>
    public void CollectProvisionals(long firstPage, long lastPage, List<(long Page, PageReference Reference)> found) =>
        Tree.ForEachLeaf(Window.Of(firstPage), Window.Of(lastPage), (window, leaf) =>
        {
            if (!leaf.HasProvisionals)
            {
                return;
            }

            var start = window << Window.Shift;
            for (var slot = (int)Math.Max(0, firstPage - start); slot < leaf.Slots.Length && start + slot <= lastPage; slot++)
            {
                if (leaf.IsProvisional(slot))
                {
                    found.Add((start + slot, leaf[slot]));
                }
            }
        });

    /// <summary>Whether any page of the file is dirty. Costs in proportion to the file's windows.</summary>
    public bool HasProvisionals()
    {
        var any = false;
        Tree.ForEachLeaf((_, leaf) => any |= leaf.HasProvisionals);
        return any;
    }

    private long PagesOf(long length) => (length - 1 >> Volume.PageShift) + 1;

    private static void CollectProvisionals(Leaf leaf, int firstSlot, int lastSlot, List<PageReference> found)
    {
        for (var slot = firstSlot; leaf.HasProvisionals && slot <= lastSlot; slot++)
        {
            if (leaf.IsProvisional(slot))
            {
                found.Add(leaf[slot]);
            }
        }
    }

    /// <summary>A leaf for the end of the file, with the dirty pages of the old one that stay.</summary>
    private Leaf Resized(Leaf end, long window, int kept)
    {
        // Never fewer slots: a reader of the longer version may still look behind the new end.
        var own = Carried(window, end, Math.Max(kept, end.Slots.Length), newer: null, Leaf.Void);
        if (kept < end.Slots.Length)
        {
            PunchSlots(own, kept, end.Slots.Length - 1);
        }

        return own;
    }

    private void PunchSlots(Leaf own, int first, int last)
    {
        own.Lock.Enter();
        own.ExchangeRuns(first << Volume.PageShift, last + 1 << Volume.PageShift, replacement: null);
        for (var slot = first; slot <= last; slot++)
        {
            own.Punch(slot, Volume.Ledger);
        }

        own.Lock.Exit();
    }

    private void Put(long firstWindow, long lastWindow, Leaf? leaf) =>
        Atomic.StoreRelease(ref _tree, Tree.With(firstWindow, lastWindow, leaf, Volume.Ledger, Stamp));

    /// <summary>
    /// A leaf of the file's own for the place of another, with its provisional slots and with all else as told. Under the
    /// binding lock.
    /// </summary>
    private Leaf Carried(long window, Leaf old, int slotCount, Leaf? newer, long age)
    {
        old.Lock.Enter();
        var own = old.CopyFor(Stamp, slotCount, newer, age, Volume.PageShift, Volume.Ledger);
        old.Lock.Exit();
        own.Family.Adopt(Family, window);
        Volume.Regions.Add(own);
        return own;
    }

    /// <summary>
    /// What is known of a range of windows is dropped; the dirty pages stay, for they are newer than the engine's answer.
    /// </summary>
    private void DropWindows(long firstWindow, long lastWindow)
    {
        var dirty = new List<(long Window, Leaf Leaf)>();
        Tree.ForEachLeaf(firstWindow, lastWindow, (window, leaf) =>
        {
            if (leaf.HasProvisionals)
            {
                dirty.Add((window, leaf));
            }
        });
        if (dirty.Count > 0)
        {
            Volume.Binding.Enter();
        }

        Put(firstWindow, lastWindow, leaf: null);
        foreach (var (window, leaf) in dirty)
        {
            Put(window, window, Carried(window, leaf, leaf.Slots.Length, newer: null, Leaf.Void));
        }

        if (dirty.Count > 0)
        {
            Volume.Binding.Exit();
        }
    }

    /// <summary>
    /// Clones the file: the engine's metadata by its hook and the tree by sharing it, as one step of the gate.
    /// </summary>
    public FileMapping Clone(FileId id, string? name, SecurityDomain domain)
    {
        _gate.EnterAlone();
        Volume.Binding.Enter();
        try
        {
            ThrowIfClosed();
            if (Volume.IsOpen(id))
            {
                throw new ArgumentException($"File {id} is already open: a clone needs an id of its own.", nameof(id));
            }

            var sequence = SequenceOrUnknown();
            var extents = Extents is ICloneableExtentMap cloneable
                ? cloneable.Clone() ?? throw new InvalidOperationException($"{Extents.GetType().Name}.Clone returned null.")
                : Extents;
            return AddClone(extents, sequence, id, name, domain);
        }
        finally
        {
            Volume.Binding.Exit();
            _gate.ExitAlone();
        }
    }

    /// <summary>The clone of an engine that cloned by itself, if the file's truth has not changed since the cookie.</summary>
    public FileMapping? TryShareTree(IExtentMap extents, Cookie cookie, FileId id, string? name, SecurityDomain domain)
    {
        _gate.EnterAlone();
        Volume.Binding.Enter();
        try
        {
            return Holds(cookie) ? AddClone(extents, cookie.Sequence, id, name, domain) : null;
        }
        finally
        {
            Volume.Binding.Exit();
            _gate.ExitAlone();
        }
    }

    /// <summary>
    /// The clone of this file at a sequence. It takes over the tree if no change was under way: none came while the engine
    /// cloned, and none since the tree was shared or invalidated.
    /// </summary>
    private FileMapping AddClone(IExtentMap extents, long sequence, FileId id, string? name, SecurityDomain domain)
    {
        var isSettled = sequence != UnknownSequence && sequence == SequenceOrUnknown()
            && (sequence == _sharedSequence || sequence == _invalidatedSequence);
        if (isSettled && !Family.HasRelatives)
        {
            // Until now nobody else shared a node.
            _sharedSequence = sequence;
        }

        var clone = isSettled
            ? Volume.AddClone(this, extents, Tree, isInLine: sequence == _sharedSequence, id, name, domain)
            : Volume.AddClone(this, extents, TreeOfDirtyPages(), isInLine: true, id, name, domain);

        Volume.OwePersist();

        // From here on neither file owns what both show: the clone was born with a stamp that no node carries.
        Atomic.StoreRelease(ref _stamp, NewStamp());
        if (WritingIfAny is { } writing)
        {
            clone.Writing.InheritFrom(writing);
        }

        return clone;
    }

    /// <summary>A tree in which nothing but this file's dirty pages is known.</summary>
    private PageTree TreeOfDirtyPages()
    {
        var stamp = NewStamp();
        var tree = PageTree.Create(Tree.Length, Volume.PageShift, Volume.Ledger, stamp);
        Tree.ForEachLeaf((window, leaf) =>
        {
            if (leaf.HasProvisionals)
            {
                leaf.Lock.Enter();
                var copy = leaf.CopyFor(stamp, leaf.Slots.Length, newer: null, Leaf.Void, Volume.PageShift, Volume.Ledger);
                leaf.Lock.Exit();
                leaf.Family.Adopt(Family, window);
                tree.With(window, window, copy, Volume.Ledger, stamp);
            }
        });
        return tree;
    }

    public TouchMap MakeTouches()
    {
        var pages = (Tree.Length - 1 >> Volume.PageShift) + 1;
        var fresh = new TouchMap(Math.Max(1, pages));
        var known = Atomic.CompareExchange(ref _touches, fresh, null);
        if (known is null)
        {
            Volume.Ledger.AddNode(fresh.Bytes);
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
            if (!IsClosed && Reaches(Window.Of(page), leaf) && (Touches ?? MakeTouches()).TrySet(page))
            {
                leaf.Lock.Enter();
                leaf.AddTouch(Window.SlotOf(page), Volume.Ledger);
                leaf.Lock.Exit();
            }
        }
        finally
        {
            _gate.ExitShared();
        }
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
                Volume.Ledger.RemoveNode(touches.Bytes);
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

    public override string ToString() => $"{Name ?? "file"} ({Id}) of {Volume.Name}, {Tree.Length} bytes";
}
