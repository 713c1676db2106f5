using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Text.RegularExpressions;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Introspection;

/// <summary>What listeners to the meter are told.</summary>
public class MeterTests
{
    [Fact]
    [Trait("Row", "I4")]
    public void Every_figure_has_an_instrument_that_tells_it()
    {
        var name = $"figures {Guid.NewGuid()}";
        using var cache = new TestCache(name: name);
        var file = cache.OpenRun(0, 64 << 10);
        file.ReadAll();
        using var clone = file.Clone();
        clone.ReadAll();
        clone.ReadAll();
        Assert.True(cache.Figures is { Hits: > 0, DeviceReads: > 0, SavedBytes: > 0 }, cache.Figures.ToString());
        var told = Read(name);
        object figures = cache.Figures;
        var known = typeof(PageCacheStatistics).GetProperties()
            .Where(static property => property.Name is not (nameof(PageCacheStatistics.PageSize) or nameof(PageCacheStatistics.HitRatio)))
            .ToDictionary(static property => WordsOf(property.Name), property => (long)property.GetValue(figures)!);
        Assert.Equal(known.OrderBy(static figure => figure.Key), told.ToDictionary(static figure => WordsOf(figure.Key), static figure => figure.Value).OrderBy(static figure => figure.Key));

        // "device.pages_read" is DevicePagesRead, and "resident" ResidentBytes: bytes are said by the unit.
        static string WordsOf(string name) => string.Join(' ', Regex.Matches(name, "[A-Z]?[a-z]+").Select(static word => word.Value.ToLowerInvariant())
            .Where(static word => word is not ("bytes" or "sharedpagecache")).Order());
    }

    [Fact]
    [Trait("Row", "I4")]
    public void A_listener_that_throws_hurts_nobody_else()
    {
        var (isReady, thrown) = (false, 0);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (isReady && instrument.Meter.Name == PageCache.MeterName)
            {
                Interlocked.Increment(ref thrown);
                throw new InvalidOperationException("a listener's own");
            }
        };
        listener.Start();
        isReady = true;

        // The library once more, with statics of its own: instruments are made with the first cache.
        var context = new AssemblyLoadContext("once more", isCollectible: true);
        var again = context.LoadFromAssemblyPath(typeof(PageCache).Assembly.Location);
        dynamic options = Activator.CreateInstance(again.GetType(typeof(PageCacheOptions).FullName!)!)!;
        options.CapacityBytes = 1L << 20;
        options.HugePages = false;
        for (var i = 0; i < 2; i++)
        {
            using var cache = (IDisposable)Activator.CreateInstance(again.GetType(typeof(PageCache).FullName!)!, options);
            ((dynamic)cache).Verify();
        }

        Assert.True(thrown >= 33, $"{thrown} instruments were shown");
        context.Unload();
    }

    [Fact]
    [Trait("Row", "I4")]
    public void Caches_of_one_name_are_added_up_and_those_that_are_disposed_are_told_no_more()
    {
        var name = $"sum {Guid.NewGuid()}";
        var first = new TestCache(name: name);
        using (var second = new TestCache(name: name))
        {
            second.OpenRun(0, 1 << 20).ReadAll();
            first.OpenRun(0, 1 << 20).ReadAll();
            Assert.Equal(first.Figures.ResidentBytes + second.Figures.ResidentBytes, Read(name)["sharedpagecache.resident"]);
        }

        Assert.Equal(first.Figures.ResidentBytes, Read(name)["sharedpagecache.resident"]);
        first.Dispose();
        Assert.Empty(Read(name));
    }

    [Fact]
    [Trait("Row", "I4")]
    public void A_cache_that_was_forgotten_is_collected()
    {
        var name = $"forgotten {Guid.NewGuid()}";
        var cache = Forget(name);
        for (var i = 0; i < 10 && IsAlive(cache); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(IsAlive(cache));
        Assert.Empty(Read(name));

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference<object> Forget(string name)
        {
            var forgotten = new PageCache(new PageCacheOptions { Name = name, CapacityBytes = 1 << 20, HugePages = false });
            Assert.NotEmpty(Read(name));
            return new WeakReference<object>(forgotten.Engine);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static bool IsAlive(WeakReference<object> cache) => cache.TryGetTarget(out _);
    }

    private static Dictionary<string, long> Read(string cache)
    {
        var told = new Dictionary<string, long>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == PageCache.MeterName)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (tags[0].Key == "sharedpagecache.name" && (string?)tags[0].Value == cache)
            {
                told.Add(instrument.Name, value);
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return told;
    }
}
