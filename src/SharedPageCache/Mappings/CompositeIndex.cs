using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The frames that have no block identity because their page is made of several runs, with the runs that they were made
/// of: a discard or a move of any of those blocks must find them.
/// </summary>
/// <remarks>
/// A frame is listed before its load looks at the regions' clock and is taken out by who retires it, so the pairing of
/// <see cref="RegionClock"/> holds for composite pages too.
/// </remarks>
internal sealed class CompositeIndex(int pageShift)
{
    private readonly Dictionary<int, Entry> _frames = [];
    private readonly Dictionary<long, HashSet<int>> _regions = [];
    private TinyLock _lock;
    private long _listed;

    /// <summary>An estimate of the index's memory in bytes.</summary>
    public long Bytes => Atomic.LoadAcquire(ref _listed) * 160;

    public void Add(int frame, int generation, WindowRun[] pieces)
    {
        _lock.Enter();
        try
        {
            _frames[frame] = new Entry(generation, pieces);
            ForEachRegion(pieces, region =>
            {
                if (!_regions.TryGetValue(region, out var frames))
                {
                    _regions.Add(region, frames = []);
                }

                frames.Add(frame);
            });
            Atomic.StoreRelease(ref _listed, _frames.Count);
        }
        finally
        {
            _lock.Exit();
        }
    }

    public void Remove(int frame)
    {
        _lock.Enter();
        try
        {
            if (_frames.Remove(frame, out var entry))
            {
                ForEachRegion(entry.Pieces, region =>
                {
                    if (_regions.TryGetValue(region, out var frames) && frames.Remove(frame) && frames.Count == 0)
                    {
                        _regions.Remove(region);
                    }
                });
                Atomic.StoreRelease(ref _listed, _frames.Count);
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    public bool Contains(int frame)
    {
        _lock.Enter();
        try
        {
            return _frames.ContainsKey(frame);
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>All listed frames with the generation they were listed in.</summary>
    public List<(int Frame, int Generation)> All()
    {
        _lock.Enter();
        try
        {
            return [.. _frames.Select(static listed => (listed.Key, listed.Value.Generation))];
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>The frames, with the generation they were listed in, that were made of any block of a run.</summary>
    public List<(int Frame, int Generation)> MadeOf(BlockRun run)
    {
        var found = new List<(int, int)>();
        if (Atomic.LoadAcquire(ref _listed) == 0)
        {
            return found;
        }

        var first = RegionClock.RegionOf(run.Offset >> pageShift);
        var last = RegionClock.RegionOf(run.End - 1 >> pageShift);
        _lock.Enter();
        try
        {
            if (last - first < _regions.Count)
            {
                for (var region = first; region <= last; region++)
                {
                    if (_regions.TryGetValue(region, out var frames))
                    {
                        Collect(frames, run, found);
                    }
                }
            }
            else
            {
                Collect(_frames.Keys, run, found);
            }
        }
        finally
        {
            _lock.Exit();
        }

        return found;
    }

    private void Collect(IEnumerable<int> frames, BlockRun run, List<(int, int)> found)
    {
        foreach (var frame in frames)
        {
            var entry = _frames[frame];
            if (entry.Pieces.Any(piece => piece.Blocks.Overlaps(run)))
            {
                found.Add((frame, entry.Generation));
            }
        }
    }

    private void ForEachRegion(WindowRun[] pieces, Action<long> visit)
    {
        foreach (var piece in pieces)
        {
            if (!piece.IsOpaque)
            {
                var last = RegionClock.RegionOf(piece.Physical + piece.Length - 1 >> pageShift);
                for (var region = RegionClock.RegionOf(piece.Physical >> pageShift); region <= last; region++)
                {
                    visit(region);
                }
            }
        }
    }

    private sealed record Entry(int Generation, WindowRun[] Pieces);
}
