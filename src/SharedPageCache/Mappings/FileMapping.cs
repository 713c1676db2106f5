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
/// _sharedSequence inside the gate, alone, or binding   inside the gate, and by MayLoadThrough (see there)
/// _toldSequence  inside the gate, alone                inside the gate, alone
/// _stamp         inside the gate, alone                inside the gate
/// _handles       under the volume's files lock         the same
/// _writing       once, by compare-and-swap             by anybody, with acquire
/// IndexInFamily  under the clone family's lock         the same
/// _touches       by compare-and-swap; gate alone       by anybody, with acquire
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
/// <b>In between</b> is decided by counting: a change moves the sequence up by one and is followed by one invalidation, so
/// the file is settled if the sequence is what it was at the beginning plus the number of invalidations since. Looking at
/// the sequence of the last invalidation would not do: with two changes under way it covers both, and the tree may still
/// show what the other one has replaced. An engine that counts in larger steps, or leaves invalidations out, is never
/// taken for settled again: its clones begin with an empty tree and find the leaves in the index.
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
    private const int FewAttempts = 8;

    private static long s_lastStamp;

    private Gate _gate;
    private PageTree? _tree;
    private FileWriting? _writing;
    private long _stamp;
    private TouchMap? _touches;
    private long _invalidations;

    /// <summary>The sequence at which this file had the same truth as all who share nodes of its tree.</summary>
    private long _sharedSequence;

    /// <summary>The sequence at the beginning and one for each invalidation since: is it the sequence, no change is under way.</summary>
    private long _toldSequence;

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
        _toldSequence = SequenceOrUnknown();
        _sharedSequence = isInLine ? _toldSequence : UnknownSequence;
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
                var own = TreeSurgery.Carry(this, window, current, leaf.Slots.Length, leaf, leaf.Age);
                Put(window, own);
                return own;
            }

            leaf.Family.Adopt(Family, window);
            Put(window, leaf);
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
    /// <remarks>
    /// <para>
    /// Opaque bytes are the file's own and may change in place, so what is filled into a slot that relatives share must be
    /// of the sequence at which they began to share. The cookie was taken before the bytes are read and must still hold
    /// when they are installed, and the sequence moves before the bytes do: so bytes that pass both are of that sequence.
    /// Who joins a load finds its bytes only if they were installed.
    /// </para>
    /// <para>
    /// Asked outside any lock, after the cookie was taken; the file may be getting its first relative at that moment. Its
    /// clone announces itself (full fence), then looks at the sequence for the last time, and only then takes the tree. A
    /// cookie of a later sequence was taken after that look, so who has it sees the announcement here; and bytes of this
    /// very sequence are the clone's too.
    /// </para>
    /// </remarks>
    public bool MayLoadThrough(Leaf leaf, Cookie cookie) =>
        !leaf.Runs.HasOpaque
        || !Family.HasRelatives
        || cookie.Sequence == Atomic.LoadAcquire(ref _sharedSequence)
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

    /// <summary>
    /// The file's truth changed in a range of windows: what is known of it is dropped from this file's tree. An empty range
    /// (the last window before the first) says that a change is over for which nothing has to be dropped.
    /// </summary>
    public void Invalidate(long firstWindow, long lastWindow)
    {
        _gate.EnterAlone();
        try
        {
            // The count first: whoever fills a slot under a leaf's lock after this sees it, or filled before the swap.
            Atomic.Add(ref _invalidations, 1);
            if (SequenceOrUnknown() > _toldSequence)
            {
                // Never ahead of the sequence: several invalidations of one change must not stand for one to come.
                Atomic.Add(ref _toldSequence, 1);
            }

            if (firstWindow <= lastWindow)
            {
                DropWindows(firstWindow, lastWindow);
            }
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
            Put(window, copy);
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
        if (Touches is { } touches && fresh.Length - 1 >> Volume.PageShift >= touches.Pages)
        {
            // Made anew, and larger, at the next use. Before the new length can be seen: no reader asks for a bit behind the end.
            DropTouches(old, 0, long.MaxValue);
            touches.Close();
            Atomic.StoreRelease(ref _touches, null);
        }

        Store(fresh);
        Volume.Ledger.AddLogicalBytes(length - old.Length);
    }

    private void Put(long window, Leaf? leaf) => Store(Tree.With(window, window, leaf, Volume.Ledger, Stamp));

    private void Store(PageTree tree) => Atomic.StoreRelease(ref _tree, tree);

    /// <summary>
    /// What is known of a range of windows is dropped; the dirty pages stay, for they are newer than the engine's answer.
    /// </summary>
    private void DropWindows(long firstWindow, long lastWindow)
    {
        DropTouches(Tree, firstWindow, lastWindow);
        Volume.Binding.Enter();
        Store(TreeSurgery.Forget(this, firstWindow, lastWindow));
        Volume.Binding.Exit();
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
            Volume.ThrowIfOpen(id);
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

    /// <summary>
    /// The clone of an engine that cloned by itself. It shares the tree if the file's truth has not changed since the cookie,
    /// which was taken before the engine cloned.
    /// </summary>
    public FileMapping AddClone(IExtentMap extents, Cookie cookie, FileId id, string? name, SecurityDomain domain)
    {
        _gate.EnterAlone();
        Volume.Binding.Enter();
        try
        {
            ThrowIfClosed();
            return AddClone(extents, Holds(cookie) ? cookie.Sequence : UnknownSequence, id, name, domain);
        }
        finally
        {
            Volume.Binding.Exit();
            _gate.ExitAlone();
        }
    }

    /// <summary>
    /// The clone of this file at a sequence. It takes over the tree if no change was under way: none came while the engine
    /// cloned, and every one before was followed by its invalidation.
    /// </summary>
    private FileMapping AddClone(IExtentMap extents, long sequence, FileId id, string? name, SecurityDomain domain)
    {
        var isAlone = !Family.HasRelatives;
        Family.Expect();
        try
        {
            var isSettled = sequence != UnknownSequence && sequence == SequenceOrUnknown() && sequence == _toldSequence;
            if (isSettled && isAlone)
            {
                // Until now nobody else shared a node.
                Atomic.StoreRelease(ref _sharedSequence, sequence);
            }

            var clone = isSettled
                ? Volume.AddClone(this, extents, Tree, isInLine: sequence == _sharedSequence, id, name, domain)
                : Volume.AddClone(this, extents, TreeSurgery.OnlyDirty(this), isInLine: true, id, name, domain);
            Volume.OwePersist();

            // From here on neither file owns what both show: the clone was born with a stamp that no node carries.
            Atomic.StoreRelease(ref _stamp, NewStamp());
            if (WritingIfAny is { } writing)
            {
                clone.Writing.InheritFrom(writing);
            }

            return clone;
        }
        finally
        {
            Family.ExpectNoMore();
        }
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
                if (!isCounted)
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

    public override string ToString() => $"{Name ?? "file"} ({Id}) of {Volume.Name}, {Tree.Length} bytes";
}
