using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Page trees, leaves and clones.</summary>
internal static class TreeScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("leaf publish x invalidate extents (A5)", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var clone = file.Clone();
            return universe.Run(
                file.Read(0),
                () =>
                {
                    clone.Remap(0, 20);
                    clone.Invalidate();
                    clone.ReadNow(0);
                },
                clone.Read(0));
        }),
        new("install in a shared leaf x invalidate extents (P3)", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 11);
            file.ReadNow(1);
            var clone = file.Clone();
            return universe.Run(
                clone.Read(0),
                () =>
                {
                    clone.Remap(0, 20);
                    clone.Invalidate();
                    clone.ReadNow(0);
                },
                file.Read(0));
        }),
        new("opaque page of a shared leaf x change in place", () =>
        {
            var universe = new Universe();
            var file = universe.OpenOpaque(10, 11);
            file.ReadNow(1);
            var clone = file.Clone();
            return universe.Run(
                file.Read(0),
                () =>
                {
                    file.Remap(0, 20);
                    file.Invalidate();
                    file.ReadNow(0);
                },
                clone.Read(0));
        }),
        new("opaque page x change in place x clone", () =>
        {
            var universe = new Universe();
            var file = universe.OpenOpaque(10, 11);
            file.ReadNow(1);
            return universe.Run(
                file.Read(0),
                () =>
                {
                    file.Remap(0, 20);
                    file.ReadNow(0);
                    file.Invalidate();
                },
                () => file.Clone().ReadNow(0));
        }),
        new("leaf exchange x install", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 11);
            file.ReadNow(0);
            var clone = file.Clone();
            return universe.Run(
                () =>
                {
                    universe.Overwrite(11);
                    file.ReadNow(0);
                },
                clone.Read(1),
                file.Read(1));
        }),
        new("leaf exchange x leaf exchange of strangers", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 11);
            var stranger = universe.Open(10, 11);
            file.ReadNow(0);
            stranger.ReadNow(1);
            universe.Overwrite(11);
            return universe.Run(file.Read(1), stranger.Read(1), stranger.Read(0));
        }),
        new("extents change under the question", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            return universe.Run(
                file.Read(0),
                () =>
                {
                    file.Remap(0, 20);
                    file.Invalidate();
                    file.ReadNow(0);
                    file.Remap(0, 10);
                    file.Invalidate();
                    file.ReadNow(0);
                });
        }),
        new("sweep x install", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10);
            var others = universe.Open(20, 30);
            file.ReadNow(0);
            var clone = file.Clone();
            others.ReadNow(0);
            others.ReadNow(1);
            return universe.Run(universe.Cache.Engine.Rooms.Sweeper.Sweep, file.Read(0), clone.Read(0));
        }),
        new("prune x first use x read", () =>
        {
            var universe = new Universe(frames: 8);
            var file = universe.Open(10, 11);
            file.ReadNow(0);
            var clone = file.Clone();
            universe.Open(20).ReadNow(0);
            return CheckingUses(universe, [file, clone],
                () => universe.Cache.Engine.Rooms.Sweeper.Prune(static () => 1),
                clone.Read(0),
                () =>
                {
                    file.ReadNow(1);
                    file.ReadNow(0);
                });
        }),
        new("prune x leaf exchange x first use", () =>
        {
            var universe = new Universe(frames: 8);
            var file = universe.Open(10, 11);
            file.ReadNow(0);
            var clone = file.Clone();
            clone.ReadNow(0);
            universe.Open(20).ReadNow(0);
            return CheckingUses(universe, [file, clone],
                () => universe.Cache.Engine.Rooms.Sweeper.Prune(static () => 1),
                () =>
                {
                    clone.Remap(1, 30);
                    clone.Invalidate();
                    clone.ReadNow(0);
                },
                file.Read(0));
        }),
        new("sweep x evict x read", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10);
            var others = universe.Open(20, 30);
            file.ReadNow(0);
            others.ReadNow(0);
            return universe.Run(
                () =>
                {
                    others.ReadNow(1);
                    universe.Cache.Engine.Rooms.Sweeper.Sweep();
                },
                file.Read(0));
        }),
        new("sweep of retired frames x read x evict", () =>
        {
            var universe = new Universe(frames: 3, firstGeneration: FrameState.LastGeneration - 1);
            var file = universe.Open(10, 20, 30, 40);
            file.ReadNow(0);
            file.ReadNow(1);
            return universe.Run(
                () =>
                {
                    file.ReadNow(2);
                    file.ReadNow(3);
                },
                () =>
                {
                    universe.Cache.Engine.Rooms.Sweeper.Sweep();
                    file.ReadNow(0);
                });
        }),
        new("clone x leaf publish", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            return universe.Run(
                file.Read(0),
                () =>
                {
                    var clone = file.Clone();
                    clone.ReadNow(0);
                    clone.Remap(0, 20);
                    clone.Invalidate();
                    clone.ReadNow(0);
                });
        }),
        new("clone x invalidate extents", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.Run(
                () =>
                {
                    file.Remap(0, 20);
                    file.Invalidate();
                    file.ReadNow(0);
                },
                () => file.Clone().ReadNow(0));
        }),
        new("clone x clone x read", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            return universe.Run(
                () => file.Clone().ReadNow(0),
                () => file.Clone().Clone().ReadNow(0),
                file.Read(0));
        }),
        new("clone x close", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.Run(
                () =>
                {
                    try
                    {
                        file.Clone().ReadNow(0);
                    }
                    catch (ObjectDisposedException)
                    {
                    }
                },
                file.File.Dispose);
        }),
        new("close x fault", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var clone = file.Clone();
            return universe.Run(() => file.ReadIfOpen(0), file.File.Dispose, clone.Read(0));
        }),
        new("close x evict x touch", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 11);
            var clone = file.Clone();
            var others = universe.Open(20, 30);
            file.ReadNow(0);
            return universe.Run(
                () => clone.ReadIfOpen(0),
                clone.File.Dispose,
                () =>
                {
                    others.ReadNow(0);
                    others.ReadNow(1);
                });
        }),
        new("two handles x close x close", () =>
        {
            var universe = new Universe();
            var extents = new Extents(universe, [10]);
            var first = universe.Open(extents, id: 7);
            var second = universe.Open(extents, id: 7);
            return universe.Run(
                () =>
                {
                    first.ReadNow(0);
                    first.File.Dispose();
                },
                () =>
                {
                    second.ReadNow(0);
                    second.File.Dispose();
                },
                () => universe.Open(extents, id: 7).ReadNow(0));
        }),
    ];

    /// <summary>At the end each leaf in service counts exactly the files that have used its pages.</summary>
    private static Instance CheckingUses(Universe universe, TestFile[] files, params Action[] threads)
    {
        var run = universe.Run(threads);
        return new Instance
        {
            Threads = threads,
            NameOf = run.NameOf,
            Check = () =>
            {
                foreach (var leaf in files.Select(file => file.File.Mapping.Tree.FindLeaf(0)).OfType<Leaf>().Where(leaf => !leaf.IsDead).Distinct())
                {
                    for (var slot = 0; slot < leaf.Slots.Length; slot++)
                    {
                        var page = slot;
                        var uses = files.Count(file => file.File.Mapping.Tree.FindLeaf(0) == leaf
                            && file.File.Mapping.Touches is { } touches && touches.IsSet(page));
                        Universe.Require(uses == leaf.TouchesOf(slot), $"{uses} files have used page {page}, {leaf.TouchesOf(slot)} are counted in {leaf}");
                    }
                }

                run.Check();
            },
        };
    }
}
