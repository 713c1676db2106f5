using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Two volumes that are written to at once, under one limit on what may be dirty, with equal block numbers.</summary>
internal static class SharedLimitScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("two volumes written x written, at the limit of both", () =>
        {
            var (universe, file, other, second) = Open();
            return universe.RunWith(
                other,
                () => WriteAll(file),
                () => WriteAll(second));
        }),
        new("two volumes written x background write-back of both", () =>
        {
            var (universe, file, other, second) = Open();
            file.Write(0);
            second.Write(0);
            return universe.RunWith(
                other,
                () =>
                {
                    file.Write(1);
                    second.WriteHalf(1, 0);
                    file.Read(0);
                },
                universe.WriteInBackground,
                other.WriteInBackground);
        }),
        new("two volumes: the device of one fails x writes to the other (B1.5)", () =>
        {
            var (universe, file, other, second) = Open();
            universe.Device.FailingWrites = int.MaxValue;
            WriteAllIfSound(file);
            return universe.RunWith(
                other,
                () => WriteAllIfSound(file),
                () =>
                {
                    WriteAll(second);
                    second.Flush();
                });
        }),
        new("two volumes flushed at once x clones of both", () =>
        {
            var (universe, file, other, second) = Open();
            file.Write(0);
            second.Write(0);
            return universe.RunWith(
                other,
                file.Flush,
                second.Flush,
                () =>
                {
                    file.Clone().Write(0);
                    second.Clone().Read(0);
                });
        }),
        new("two volumes written: flush of the cache x writes of both", () =>
        {
            var (universe, file, other, second) = Open();
            file.Write(0);
            second.Write(1);
            return universe.RunWith(
                other,
                () => universe.Cache.FlushAsync().AsTask().GetAwaiter().GetResult(),
                () => file.WriteHalf(0, 0),
                () => second.WriteHalf(1, 1));
        }),
        new("two volumes written: evict x write-back of equal blocks", () =>
        {
            var (universe, file, other, second) = Open();
            file.Write(0);
            second.Write(0);
            return universe.RunWith(
                other,
                () =>
                {
                    file.Flush();
                    file.Read(0);
                },
                () =>
                {
                    second.Flush();
                    second.Read(0);
                },
                universe.Evict);
        }),
    ];

    private static (WriteUniverse Universe, WrittenFile File, WriteUniverse Other, WrittenFile Second) Open()
    {
        var universe = new WriteUniverse(mostDirty: 3);
        var other = new WriteUniverse(beside: universe);
        return (universe, universe.Open(10, 11, 12), other, other.Open(10, 11, 12));
    }

    private static void WriteAll(WrittenFile file)
    {
        for (var page = 0; page < 3; page++)
        {
            file.Write(page);
        }
    }

    /// <summary>Writes as much as there is room for.</summary>
    private static void WriteAllIfSound(WrittenFile file)
    {
        try
        {
            WriteAll(file);
        }
        catch (CacheWritebackException failure)
        {
            Scheduler.Note(failure.Message);
        }
    }
}
