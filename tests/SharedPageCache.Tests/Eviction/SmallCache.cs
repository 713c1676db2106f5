using SharedPageCache.Eviction;
using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

/// <summary>
/// The least cache that a policy can serve: frames, and which page each holds. It calls the policy as the reclaimer
/// does: a free frame first, then a victim; pinned victims are put back.
/// </summary>
internal sealed class SmallCache
{
    private readonly Dictionary<int, int> _frameOfPage = [];
    private readonly Dictionary<int, int> _pageOfFrame = [];
    private readonly Stack<int> _free = new();
    private readonly HashSet<int> _pinned = [];

    public SmallCache(int frameCount, Func<FrameTable, int, IEvictionPolicy> create)
    {
        Frames = new FrameTable(frameCount);
        Policy = create(Frames, frameCount);
        for (int frame = frameCount - 1; frame >= 0; frame--)
        {
            _free.Push(frame);
        }
    }

    public FrameTable Frames { get; }

    public IEvictionPolicy Policy { get; }

    public IReadOnlyCollection<int> Pages => _frameOfPage.Keys;

    /// <summary>Pages in the order in which they were evicted.</summary>
    public List<int> Evicted { get; } = [];

    public static ulong HashOf(int page) => BlockIdentity.Of(0, page, 0).Hash;

    public bool Holds(int page) => _frameOfPage.ContainsKey(page);

    public int FrameOf(int page) => _frameOfPage[page];

    public void Pin(int page) => _pinned.Add(page);

    public void Unpin(int page) => _pinned.Remove(page);

    /// <summary>Reads a page, loading it if it is not there.</summary>
    /// <param name="page">The page.</param>
    /// <param name="hasIdentity">Whether the page comes from a block that would be known again.</param>
    /// <returns>Whether it was there.</returns>
    public bool Read(int page, bool hasIdentity = true)
    {
        if (_frameOfPage.TryGetValue(page, out int frame))
        {
            Hit(frame);
            return true;
        }

        if (!_free.TryPop(out frame))
        {
            frame = Evict();
        }

        _frameOfPage[page] = frame;
        _pageOfFrame[frame] = page;
        Frames[frame].Use = 0;
        Frames.SetIdentity(frame, hasIdentity ? BlockIdentity.Of(0, page, 0) : default);
        Policy.Admit(frame, hasIdentity ? HashOf(page) : 0);
        return false;
    }

    public void ReadAll(IEnumerable<int> pages)
    {
        foreach (int page in pages)
        {
            Read(page);
        }
    }

    /// <summary>Drops a page as a discard of its block does.</summary>
    public void Discard(int page)
    {
        int frame = _frameOfPage[page];
        Policy.Remove(frame);
        Drop(frame);
        _free.Push(frame);
    }

    /// <summary>Evicts until the cache is empty.</summary>
    /// <returns>The pages in the order in which they went.</returns>
    public List<int> Drain()
    {
        int before = Evicted.Count;
        while (_frameOfPage.Count > 0)
        {
            _free.Push(Evict());
        }

        Assert.Equal(-1, Policy.PickVictim());
        return Evicted[before..];
    }

    private void Hit(int frame)
    {
        ref FrameHeader header = ref Frames[frame];
        if (header.UseCount < FrameTable.MaxUse)
        {
            header.Use++;
        }

        if ((header.Use & FrameHeader.Sampled) != 0)
        {
            Frames.Samples.Add(frame);
        }
    }

    private int Evict()
    {
        for (int effort = 0; effort < 2 * Frames.Count; effort++)
        {
            int frame = Policy.PickVictim();
            bool holdsPage = _pageOfFrame.TryGetValue(frame, out int page);
            Assert.True(holdsPage, $"the policy offered frame {frame}, which holds nothing");
            if (_pinned.Contains(page))
            {
                Policy.PutBack(frame);
                continue;
            }

            Policy.Evicted(frame, HashOf(page));
            Drop(frame);
            Evicted.Add(page);
            return frame;
        }

        throw new InvalidOperationException("Nothing could be evicted.");
    }

    private void Drop(int frame)
    {
        _pageOfFrame.Remove(frame, out int page);
        _frameOfPage.Remove(page);
    }
}
