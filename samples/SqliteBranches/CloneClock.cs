using System.Diagnostics.Metrics;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>
/// Listens to how long the file system takes for the clones of the store. The call takes milliseconds now and a tenth of that then: what a branch takes beside it is
/// seen only if both are of the same branch.
/// </summary>
internal sealed class CloneClock : IDisposable
{
    private readonly MeterListener _listener = new();
    private double _seconds;

    public CloneClock()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Name == "sharedpagecache.reflink.clone.duration")
                listener.EnableMeasurementEvents(instrument);
        };

        // Told by the thread that makes the clone, before it returns.
        _listener.SetMeasurementEventCallback<double>((_, seconds, _, _) => _seconds += seconds);
        _listener.Start();
    }

    /// <summary>The time of the clones since the last call.</summary>
    public double TakeMicroseconds()
    {
        double taken = _seconds * 1e6;
        _seconds = 0;
        return taken;
    }

    public void Dispose() => _listener.Dispose();
}
