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
/// _sharedSequence inside the gate, alone, or binding   inside the gate
/// _toldSequence  under the binding lock                inside the gate, alone, and by MayLoadThrough (see there)
/// _stamp         inside the gate, alone                inside the gate
/// _content       inside the gate                       inside the gate, alone
/// _handles       under the volume's files lock         the same
/// _isSealed      inside the gate, alone, to true       inside the gate; as a hint, with acquire, by anybody
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
internal sealed partial class FileMapping
{
    /// <summary>This object and one handle, as booked for the memory limit.</summary>
    public const int FixedBytes = 256;

    private const long UnknownSequence = long.MinValue;

    private const int ReadAheadBits = 16;
    private const long MostReadAhead = (1 << ReadAheadBits) - 1;

    private static long s_lastStamp;

    private Gate _gate;
    private PageTree? _tree;
    private FileWriting? _writing;
    private long _stamp;
    private long _readAhead = -1L << ReadAheadBits;
    private long _invalidations;

    /// <summary>The sequence at which this file had the same truth as all who share nodes of its tree.</summary>
    private long _sharedSequence;

    /// <summary>The sequence at the beginning and one for each invalidation since: is it the sequence, no change is under way.</summary>
    private long _toldSequence;

    /// <summary>Leaves with opaque runs that were made from this file's own answers, with the sequence of the answer.</summary>
    private ConditionalWeakTable<Leaf, object>? _opaqueLeaves;

    /// <summary>Open handles; negative once the file was deleted.</summary>
    private int _handles = 1;

    public FileMapping(
        VolumeMap volume, IExtentMap extents, FileTerms terms, DomainAccount account, PageTree tree, CloneFamily family, bool isInLine = true)
    {
        Volume = volume;
        Extents = extents;
        Id = terms.Id;
        Name = terms.Name;
        _isSealed = terms.IsSealed ? (byte)1 : (byte)0;
        Account = account;
        Family = family;
        _tree = tree;
        _stamp = NewStamp();
        _content = -_stamp;
        _toldSequence = SequenceOrUnknown();
        _sharedSequence = isInLine ? _toldSequence : UnknownSequence;
    }

    public VolumeMap Volume { get; }

    public IExtentMap Extents { get; }

    public FileId Id { get; }

    public string? Name { get; }

    /// <summary>The security domain of the file, with what is counted for it.</summary>
    public DomainAccount Account { get; }

    public SecurityDomain Domain => Account.Domain;

    public CloneFamily Family { get; }

    public int IndexInFamily { get; set; }

    /// <summary>The page after the last one that a fault brought in; -1 at first. In one word with the next: a clone is small.</summary>
    public long ReadAheadNext
    {
        get => _readAhead >> ReadAheadBits;
        set => _readAhead = value << ReadAheadBits | (_readAhead & MostReadAhead);
    }

    /// <summary>How far the next read-ahead reaches.</summary>
    public int ReadAheadPages
    {
        get => (int)(_readAhead & MostReadAhead);
        set => _readAhead = (_readAhead & ~MostReadAhead) | Math.Min(value, MostReadAhead);
    }

    /// <summary>The current version. After close, the version at close: views of it die with their frames.</summary>
    public PageTree Tree
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Atomic.LoadAcquire(ref _tree)!;
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

    public bool IsClosed => Atomic.LoadAcquire(ref _handles) <= 0;

    public bool IsDeleted => Atomic.LoadAcquire(ref _handles) < 0;

    /// <summary>The file was deleted: it is of no more use, whoever has it open. Once, inside the gate, alone.</summary>
    public void MarkDeleted() => Atomic.Add(ref _handles, int.MinValue);

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

    /// <summary>True for the last handle, also of a deleted file.</summary>
    public bool RemoveHandle() => (Atomic.Decrement(ref _handles) & int.MaxValue) == 0;

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

            DropTouches(tree, window, window);
            if (current is { HasProvisionals: true })
            {
                // Noted is the leaf that the file comes to show, not the answer that it was made from: loads go through it.
                var own = TreeSurgery.Carry(this, window, current, leaf.Slots.Length, leaf, leaf.Age);
                NoteOpaque(own, cookie);
                Put(window, own);
                return own;
            }

            NoteOpaque(leaf, cookie);
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
    /// Whether an opaque page of a leaf, read through this file under a cookie, is what the leaf says. Not if the file's
    /// truth may have moved on since the leaf came to it: then it leaves the leaf and asks for its own.
    /// </summary>
    /// <remarks>
    /// <para>
    /// Opaque bytes are the file's own and may change in place, or be given an address: what is then read through the file
    /// is not the leaf's page, for this file or any that shares the leaf. So the leaf must be true at the cookie's sequence:
    /// it was answered at it, or all changes up to it were told, which took out of the tree what they changed. The cookie
    /// must still hold when the bytes are used, and the sequence moves before they do: bytes that pass both are of that
    /// sequence.
    /// </para>
    /// <para>
    /// Asked outside any lock, after cookie and leaf were taken. A change counts as told after the tree was exchanged: who
    /// finds it told here and has an older leaf does not reach that leaf any more, which is looked at before it is used.
    /// </para>
    /// </remarks>
    public bool MayLoadThrough(Leaf leaf, Cookie cookie) =>
        !leaf.Runs.HasOpaque
        || cookie.Sequence == Atomic.LoadAcquire(ref _toldSequence)
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
            NoteContent();
            if (firstWindow <= lastWindow)
            {
                DropWindows(firstWindow, lastWindow);
            }

            Volume.Binding.Enter();
            if (SequenceOrUnknown() > _toldSequence)
            {
                // Never ahead of the sequence: several invalidations of one change must not stand for one to come. Under the
                // binding lock, for a publication moves both.
                Atomic.Add(ref _toldSequence, 1);
            }

            Volume.Binding.Exit();
        }
        finally
        {
            _gate.ExitAlone();
        }
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

    public override string ToString() => $"{Name ?? "file"} ({Id}) of {Volume.Name}, {Tree.Length} bytes";
}
