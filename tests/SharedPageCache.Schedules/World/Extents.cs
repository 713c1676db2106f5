using System.Buffers;
using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <summary>
/// An engine's map of one file: a sector of the device, or none, for each sector of the file; with its history: what each
/// sector may show from when to when. An opaque map does not say where the sectors lie: they are read through the file.
/// </summary>
internal sealed class Extents : ICloneableExtentMap
{
    private readonly Universe _universe;
    private readonly long[] _sectors;
    private readonly List<Truth>[] _truths;
    private readonly bool _isOpaque;
    private long _sequence;

    public Extents(Universe universe, long[] sectors, bool isOpaque = false)
    {
        _isOpaque = isOpaque;
        _universe = universe;
        _sequence = universe.FirstSequence;
        _sectors = sectors;
        _truths = new List<Truth>[sectors.Length];
        for (var i = 0; i < sectors.Length; i++)
        {
            _truths[i] = [new Truth(sectors[i], universe.Held(sectors[i]), 0)];
        }

        universe.Add(this);
    }

    /// <summary>
    /// A clone: equal. Of the past it has what its sectors held where they lie now: nobody will tell the cache that the
    /// clone's sectors are elsewhere, so it must never show them where the origin had them before.
    /// </summary>
    private Extents(Extents origin)
    {
        _universe = origin._universe;
        _sequence = origin._universe.FirstSequence;
        _isOpaque = origin._isOpaque;
        _sectors = [.. origin._sectors];
        _truths = [.. origin._truths.Select((truths, i) => truths.FindAll(truth => truth.Place == _sectors[i]))];
        _universe.Add(this);
    }

    public long Sequence
    {
        get
        {
            Scheduler.Before();
            return _sequence;
        }
    }

    /// <summary>Where a sector of the file lies now.</summary>
    public long this[int sector] => _sectors[sector];

    public int Length => _sectors.Length;

    public int IndexOf(long sector) => Array.IndexOf(_sectors, sector);

    /// <summary>The engine maps a sector elsewhere. What it showed before may be seen until the cache was told.</summary>
    public void Remap(int sector, long to)
    {
        Scheduler.Note($"the engine maps sector {sector} of the file to {to}");
        _truths[sector].Add(new Truth(to, _universe.Held(to), _universe.Tick()));
        _sequence++;
        Scheduler.Note("the sequence has changed");
        _sectors[sector] = to;
    }

    /// <summary>From now on reads may show this.</summary>
    public void Begins(long sector, Sector held)
    {
        if (IndexOf(sector) is var i and >= 0)
        {
            _truths[i].Add(new Truth(sector, held, _universe.Tick()));
        }
    }

    /// <summary>No read that begins from now on may show this.</summary>
    public void Ends(long sector, Sector held)
    {
        var now = _universe.Tick();
        foreach (var truths in _truths)
        {
            for (var i = 0; i < truths.Count; i++)
            {
                if (truths[i].Place == sector && truths[i].Held == held)
                {
                    truths[i] = truths[i].EndAt(now);
                }
            }
        }
    }

    /// <summary>The cache has been told of all changes that were made before a moment: only the newest of them counts.</summary>
    public void Told(long moment)
    {
        var now = _universe.Tick();
        foreach (var truths in _truths)
        {
            var newest = truths.FindLastIndex(truth => truth.From <= moment);
            for (var i = 0; i < newest; i++)
            {
                truths[i] = truths[i].EndAt(now);
            }
        }
    }

    public void RequireTrue(int sector, Sector shown, long begun, long ended)
    {
        if (!_truths[sector].Any(truth => truth.Held == shown && truth.From <= ended && truth.Until >= begun))
        {
            throw new Shims.AssertionFailedException(
                $"sector {sector} of the file showed {shown} in a read from {begun} to {ended}; true is: {string.Join(", ", _truths[sector])} (I2/I3)");
        }
    }

    public IExtentMap Clone() => new Extents(this);

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        Scheduler.Note("the engine is asked for extents");
        for (var i = 0; i < _sectors.Length; i++)
        {
            var at = (long)i * Sector.Size;
            if (_sectors[i] >= 0 && at < offset + length && at + Sector.Size > offset)
            {
                destination.Write(
                    [_isOpaque ? new Extent(at, Sector.Size, 0, ExtentFlags.Opaque) : new Extent(at, Sector.Size, _sectors[i] * Sector.Size, ExtentFlags.None, _universe.GenerationOf(_sectors[i]))]);
            }
        }

        Scheduler.Note("the engine has answered");
        return ValueTask.CompletedTask;
    }
}
