using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests.Crashes;

/// <summary>
/// Stands beside a workload and has the power go at each of its flushes: each sector that was written since the last one keeps its
/// old bytes or any that were written, in every combination if there are not too many. What opens then is checked as a whole and must
/// be a state that is allowed: the last one that was acknowledged, or a later one, whole.
/// </summary>
/// <remarks>
/// A crash between two flushes leaves a state that the moment before the second one has among its own: sectors that were not written yet are as
/// they were. So nothing is missed by looking at flushes only.
/// </remarks>
internal sealed class CrashWatch
{
    private readonly SectorDevice _device;
    private readonly Random _random;
    private readonly int _most;
    private readonly List<SortedDictionary<string, byte[]>> _allowed = [];
    private long _moments;
    private long _whole;
    private long _points;

    /// <param name="device">The disk of the workload.</param>
    /// <param name="seed">Decides which states are tried where there are too many.</param>
    /// <param name="most">From how many states on they are sampled, as a tenth of that.</param>
    public CrashWatch(SectorDevice device, int seed, int most)
    {
        (_device, _random, _most) = (device, new Random(seed), most);
        device.Before = run =>
        {
            if (!run.IsSome)
            {
                Look();
            }

            return ValueTask.CompletedTask;
        };
    }

    public CrashFigures Figures => new(1, _moments, _whole, _points);

    /// <summary>This state is acknowledged as durable: nothing older is allowed any more.</summary>
    public void Acknowledge(SortedDictionary<string, byte[]> state)
    {
        _allowed.Clear();
        _allowed.Add(state);
    }

    /// <summary>This state has come since; it may be found.</summary>
    public void Note(SortedDictionary<string, byte[]> state) => _allowed.Add(state);

    /// <summary>The power goes now, in every way.</summary>
    public void Look()
    {
        _moments++;
        if (_device.PowerCuts <= _most)
        {
            _whole++;
            foreach (var after in _device.AllPowerCuts())
            {
                Check(after);
            }

            return;
        }

        for (var i = 0; i < _most / 10; i++)
        {
            Check(_device.AfterPowerCut(_random));
        }
    }

    private void Check(SectorDevice after)
    {
        _points++;
        Check(after, "");

        // Recovery has written too; now and then the power goes in it.
        if (_random.Next(16) == 0)
        {
            _points++;
            Check(after.AfterPowerCut(_random), " and once more while it was opened");
        }
    }

    private void Check(SectorDevice after, string more)
    {
        using var volume = CowVolume.Open(after);
        volume.AssertClean();
        var found = Model.Read(volume);
        Assert.True(
            _allowed.Exists(state => Model.AreEqual(state, found)),
            $"the power went at flush {_moments}{more}, and the volume shows none of {_allowed.Count} states: "
            + string.Join(", ", found.Select(static entry => $"{entry.Key} ({entry.Value.Length})")));
    }
}
