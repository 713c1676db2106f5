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
/// _handles       under the volume's files lock         the same
/// IndexInFamily  under the clone family's lock         the same
/// _touches       once, by compare-and-swap             by anybody, with acquire
/// </code>
/// <para>
/// A fault publishes a leaf inside the gate (together with others) and fills a slot under the leaf's lock; in both cases
/// only if the file still has the truth that the answer was about: the engine's sequence and the count of invalidations
/// are those of before the question, and the file still reaches the leaf.
/// </para>
/// </remarks>
internal sealed class FileMapping
{
    /// <summary>This object and one handle, as booked for the memory limit.</summary>
    public const int FixedBytes = 256;

    private Gate _gate;
    private PageTree? _tree;
    private TouchMap? _touches;
    private long _invalidations;
    private int _handles = 1;

    public FileMapping(
        VolumeMap volume, IExtentMap extents, FileId id, string? name, SecurityDomain domain, PageTree tree, CloneFamily family)
    {
        Volume = volume;
        Extents = extents;
        Id = id;
        Name = name;
        Domain = domain;
        Family = family;
        _tree = tree;
    }

    public VolumeMap Volume { get; }

    public IExtentMap Extents { get; }

    public FileId Id { get; }

    public string? Name { get; }

    public SecurityDomain Domain { get; }

    public CloneFamily Family { get; }

    public int IndexInFamily { get; set; }

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

    public bool IsClosed => Atomic.LoadAcquire(ref _handles) == 0;

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

            // Adopted before it can be reached: a walk from a frame never misses a file that shows the leaf.
            leaf.Family.Adopt(Family, window);
            return Tree.Publish(window, leaf, Volume.Ledger);
        }
        finally
        {
            _gate.ExitShared();
        }
    }

    /// <summary>
    /// Leaves a leaf that is too old for another one, by copying this file's path; its other sharers keep the old one.
    /// </summary>
    public Leaf? ExchangeLeaf(long window, Leaf old, Leaf leaf, Cookie cookie)
    {
        _gate.EnterAlone();
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

            leaf.Family.Adopt(Family, window);
            Atomic.StoreRelease(ref _tree, tree.With(window, window, leaf, Volume.Ledger));
            DropTouches(tree, window, window);
            return leaf;
        }
        finally
        {
            _gate.ExitAlone();
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
            var tree = Tree;
            Atomic.StoreRelease(ref _tree, tree.With(firstWindow, lastWindow, leaf: null, Volume.Ledger));
            DropTouches(tree, firstWindow, lastWindow);
        }
        finally
        {
            _gate.ExitAlone();
        }
    }

    /// <summary>
    /// Clones the file: the engine's metadata by its hook and the tree by sharing it, as one step of the gate.
    /// </summary>
    public FileMapping Clone(FileId id, string? name, SecurityDomain domain)
    {
        _gate.EnterAlone();
        try
        {
            ThrowIfClosed();
            if (Volume.IsOpen(id))
            {
                throw new ArgumentException($"File {id} is already open: a clone needs an id of its own.", nameof(id));
            }

            var extents = Extents is ICloneableExtentMap cloneable
                ? cloneable.Clone() ?? throw new InvalidOperationException($"{Extents.GetType().Name}.Clone returned null.")
                : Extents;
            return Volume.AddClone(this, extents, id, name, domain);
        }
        finally
        {
            _gate.ExitAlone();
        }
    }

    /// <summary>The clone of an engine that cloned by itself, if the file's truth has not changed since the cookie.</summary>
    public FileMapping? TryShareTree(IExtentMap extents, Cookie cookie, FileId id, string? name, SecurityDomain domain)
    {
        _gate.EnterAlone();
        try
        {
            return Holds(cookie) ? Volume.AddClone(this, extents, id, name, domain) : null;
        }
        finally
        {
            _gate.ExitAlone();
        }
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
    /// Notes that this file has used a page of a leaf. Counted only while the file still reaches the leaf, so that the
    /// count goes with the leaf when the file leaves it.
    /// </summary>
    public void Touch(long page, Leaf leaf)
    {
        var touches = Touches ?? MakeTouches();
        if (!touches.TrySet(page))
        {
            return;
        }

        leaf.Lock.Enter();
        try
        {
            if (!IsClosed && Reaches(Window.Of(page), leaf))
            {
                leaf.AddTouch(Window.SlotOf(page), Volume.Ledger);
            }
            else
            {
                touches.TryClear(page);
            }
        }
        finally
        {
            leaf.Lock.Exit();
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
