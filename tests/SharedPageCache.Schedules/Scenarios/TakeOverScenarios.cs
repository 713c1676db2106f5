using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>The last who shows a clean page writes it in its frame (B8), while others come who show it too.</summary>
internal static class TakeOverScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("take-over x stranger's read (P1, A3.7)", () =>
        {
            var (universe, file, stranger) = FileAndStranger();
            return universe.Run(() => file.WriteHalf(0, 0), () => ReadAsStranger(stranger), () => ReadAsStranger(stranger));
        }),
        new("take-over x stranger's lease (A2a)", () =>
        {
            var (universe, file, stranger) = FileAndStranger();
            return universe.Run(
                () => file.WriteHalf(0, 0),
                () =>
                {
                    using var lease = stranger.PinAsync(0).AsTask().GetAwaiter().GetResult();
                    RequireOriginal(lease.Memory.Span);
                    Scheduler.Note("looks at the lease again");
                    RequireOriginal(lease.Memory.Span);
                });
        }, Bounded: true),
        new("write x stranger in the same leaf (A3.1)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Read(0);
            var stranger = universe.OpenStranger(10);
            return universe.Run(
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.WriteHalf(0, 1);
                },
                () => ReadAsStranger(stranger),
                () => ReadAsStranger(stranger));
        }),
        new("take-over of a whole page x own lease x read", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Read(0);
            return universe.Run(() => file.Write(0), () => file.Lease(0, () => { }), () => file.Read(0));
        }),
        new("take-over x clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.ReadAll();
            return universe.Run(
                () => file.WriteHalf(0, 0),
                () =>
                {
                    var clone = file.Clone();
                    clone.WriteHalf(0, 1);
                    clone.Read(0);
                },
                () => file.Read(0));
        }),
        new("take-over x discard of the block", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Read(0);
            return universe.Run(() => file.WriteHalf(0, 0), () => universe.Volume.Discard(new BlockRun(10 * Sector.Size, Sector.Size)), () => file.Read(0));
        }),
        new("take-over x eviction x read", () =>
        {
            var (universe, file, stranger) = FileAndStranger();
            return universe.Run(() => file.WriteHalf(0, 0), universe.Evict, () => ReadAsStranger(stranger));
        }),
        new("take-over of what a load brings x stranger's wait for it", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            var stranger = universe.OpenStranger(10);
            return universe.Run(() => file.WriteHalf(0, 0), () => ReadAsStranger(stranger));
        }),
        new("take-over x flush of the neighbour", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.ReadAll();
            file.Write(1);
            return universe.Run(() => file.WriteHalf(0, 0), file.Flush, () => file.Read(0));
        }),
    ];

    /// <summary>Both have the page of one block in memory, each in a tree of its own.</summary>
    private static (WriteUniverse Universe, WrittenFile File, MappedFile Stranger) FileAndStranger()
    {
        var universe = new WriteUniverse();
        var file = universe.Open(10, 11);
        var stranger = universe.OpenStranger(10);
        file.Read(0);
        return (universe, file, stranger);
    }

    private static void ReadAsStranger(MappedFile stranger)
    {
        var bytes = new byte[Sector.Size];
        stranger.Read(0, bytes);
        RequireOriginal(bytes);
    }

    private static void RequireOriginal(ReadOnlySpan<byte> bytes)
    {
        var seen = Sector.Of(bytes);
        WriteUniverse.Require(seen == WriteDevice.Original(10), $"a stranger sees {seen}, which was written to another file (C2)");
    }
}
