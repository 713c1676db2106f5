using System.Diagnostics.Metrics;
using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>What the package tells listeners.</summary>
public sealed class MeterTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_listener_is_told_how_long_each_clone_took(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        await using var file = OpenNew(path, Bytes(8 * Page, 1));
        await using var unheard = await file.CloneAsync(path + ".unheard");

        // Other tests make clones meanwhile: those of this flow of control are counted.
        var isOurs = new AsyncLocal<bool> { Value = true };
        var durations = new List<double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == ReflinkMeter.Name)
                {
                    Assert.Equal(("sharedpagecache.reflink.clone.duration", "s"), (instrument.Name, instrument.Unit));
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((_, seconds, _, _) =>
        {
            if (isOurs.Value)
            {
                durations.Add(seconds);
            }
        });
        listener.Start();
        await using var first = await file.CloneAsync(path + ".1");
        await using var second = await file.CloneForLaterAsync(path + ".2", path + ".passing");

        Assert.Equal(2, durations.Count);
        Assert.All(durations, static seconds => Assert.InRange(seconds, 1e-9, 60));
        Verify();
    }
}
