using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Write-back that meets writes, clones, changes of shape, eviction, strangers, failures, and the end. Letters: the tables of hazards.</summary>
internal static class WritebackScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("overwrite during write-back (A1a)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(file.Flush, () => file.Write(0));
        }, Bounded: true),
        new("overwrite in part during write-back x read (A1a)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(file.Flush, () => file.WriteHalf(0, 1), () => file.Read(0));
        }),
        new("leaf copy during publish (A1b)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(file.Flush, () => file.Write(1), () => clone.Read(0));
        }, Bounded: true),
        new("leaf copies of both sides during publish (A1b)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(file.Flush, () => file.Write(1), () => clone.WriteHalf(1, 0));
        }),
        new("first dirty page of an owned leaf x volume flush", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(() => file.Write(1), file.FlushVolume);
        }, Bounded: true),
        new("write x background round x flush", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                universe.WriteInBackground,
                () =>
                {
                    file.Write(1);
                    file.WriteHalf(0, 0);
                    file.Flush();
                },
                () => file.Read(0));
        }),
        new("flush x flush x write", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(file.Flush, file.Flush, () => file.Write(0));
        }),
        new("write of several pages x flush x clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            file.WritePages(0, 2);
            return universe.Run(file.Flush, () => file.WritePages(1, 2), () => file.Clone().ReadAll());
        }),
        new("promoted page: in-place write x stranger's minor fault (A3.2, P5)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () =>
                {
                    file.Flush();
                    file.WriteHalf(0, 0);
                    file.Read(0);
                },
                () => ReadAsStranger(universe, file));
        }),
        new("stranger's load x publish (A6c)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(file.Flush, () => ReadAsStranger(universe, file), () => ReadAsStranger(universe, file));
        }),
        new("truncate x device write, block in other hands (A6a)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            var other = universe.Open(12);
            file.Write(1);
            other.Write(0);
            return universe.Run(
                file.Flush,
                () =>
                {
                    file.Truncate(1);
                    other.Flush();
                    other.Read(0);
                },
                () => other.Write(0));
        }),
        new("punch x write-back, block in other hands (A6a)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                file.Flush,
                () =>
                {
                    file.Punch(0);
                    file.Write(0);
                    file.Flush();
                },
                () => file.Read(0));
        }),
        new("discard x write-back of other blocks (A6b)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                file.Flush,
                () =>
                {
                    var wasWritten = universe.IsBeingWritten(0);
                    try
                    {
                        universe.Volume.Discard(new BlockRun(0, 4 * Sector.Size));
                        WriteUniverse.Require(
                            !wasWritten || !universe.IsBeingWritten(0), "a block is discarded, and so somebody else's, that a write-back is writing (A6)");
                    }
                    catch (InvalidOperationException)
                    {
                        Scheduler.Note("the blocks are the cache's");
                    }
                },
                () => file.Read(0));
        }),
        new("place x punch: the block that the punch frees is placed", () =>
        {
            var (universe, file, other) = BoundAndNotDurable();
            return universe.Run(other.Flush, () => file.Punch(0));
        }, Bounded: true),
        new("place x truncate: the block that it frees is placed x read", () =>
        {
            var (universe, file, other) = BoundAndNotDurable();
            return universe.Run(
                other.Flush,
                () =>
                {
                    file.Truncate(0);
                    file.Grow(1);
                    file.Read(0);
                },
                () => file.ReadIfThere(0));
        }),
        new("write x discard of the old block", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Read(0);
            return universe.Run(
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.Flush();
                },
                () => universe.Volume.Discard(new BlockRun(10 * Sector.Size, Sector.Size)),
                () => file.Read(0));
        }),
        new("clone x write x flush (Q6)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                file.Flush,
                () =>
                {
                    var clone = file.Clone();
                    clone.Flush();
                    clone.Read(0);
                },
                () => file.Write(0));
        }),
        new("publish x clone: hook and tree are one step (Q6)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(file.Flush, () => file.Clone().Read(0));
        }, Bounded: true),
        new("persist that fails stays owed (Q3)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            universe.Store.FailingPersists = 1;
            return universe.Run(() => file.FlushIfSound(), () => file.FlushIfSound(), universe.WriteInBackground);
        }),
        new("persist that fails x hook (Q3)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            universe.Store.FailingPersists = 1;
            return universe.Run(
                () => file.FlushIfSound(),
                () =>
                {
                    file.Punch(1);
                    file.FlushIfSound();
                });
        }),
        new("discard of a leased page x minor fault (Q5)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            var stranger = file.OpenStranger();
            file.Read(0);
            return universe.Run(
                () => file.Lease(0, static () => { }),
                () => file.OverwriteOnDevice(0),
                () =>
                {
                    stranger.Read(0);
                    stranger.TryRead(0);
                });
        }),
        new("flushed page x evict x read: the new block (Q7)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(
                () =>
                {
                    file.Flush();
                    file.Read(0);
                    clone.Read(0);
                },
                universe.Evict,
                () => clone.Read(0));
        }),
        new("leaf too old for one page x publish of another (Q9)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                () =>
                {
                    universe.Volume.Discard(new BlockRun(11 * Sector.Size, Sector.Size));
                    file.Read(1);
                    file.Read(0);
                },
                file.Flush,
                universe.Evict);
        }),
        new("load of the old block x write x flush (Q9)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Read(1);
            return universe.Run(
                () => file.Read(0),
                () =>
                {
                    file.Write(0);
                    file.Flush();
                    file.Read(0);
                },
                universe.Evict);
        }),
        new("device write that fails x overwrite", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            universe.Device.FailingWrites = 1;
            return universe.Run(() => file.FlushIfSound(), () => file.WriteHalf(0, 0), () => file.FlushIfSound());
        }),
        new("device flush that fails x clone x punch", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            universe.Device.FailingFlushes = 1;
            return universe.Run(() => file.FlushIfSound(), () => file.Clone().Write(0), () => file.Punch(0));
        }),
        new("publish that is refused x overwrite x clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            universe.Store.FailingPublishes = 1;
            return universe.Run(() => file.FlushIfSound(), () => file.Write(0), () => file.Clone().Read(0));
        }),
        new("place without room x overwrite", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            universe.Store.FailingPlaces = 1;
            return universe.Run(() => file.FlushIfSound(), () => file.Write(0), () => file.FlushIfSound());
        }),
        new("volume detach x write-back", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            file.Write(1);
            return universe.RunToTheEnd(() => FlushIfAttached(universe), universe.Volume.Dispose, () => file.ReadIfOpen(0));
        }),
        new("volume detach x write", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.RunToTheEnd(
                () => file.IfOpen(() => file.Write(1)),
                universe.Volume.Dispose,
                () => file.IfOpen(() => file.WriteHalf(0, 1)));
        }),
        new("volume detach x write-back x its successor under the same number", () =>
        {
            var universe = new WriteUniverse(volumeNumbers: 1);
            var file = universe.Open(10);
            file.Write(0);
            return universe.RunToTheEnd(
                () => FlushIfAttached(universe),
                () =>
                {
                    universe.Volume.Dispose();
                    universe.ReadAllBlocksOfASuccessor();
                });
        }),
        new("verify x write-back x write", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(universe.Cache.Verify, file.Flush, () => file.WriteHalf(0, 0));
        }),
    ];

    /// <summary>A stranger opens the extents that the engine has for a file now, and reads what is there.</summary>
    private static void ReadAsStranger(WriteUniverse universe, WrittenFile file)
    {
        var block = file.Stored.Blocks[0];
        var wanted = universe.Device.Now(block).ToArray();
        using var stranger = universe.OpenStranger(block);
        var bytes = new byte[Sector.Size];
        stranger.Read(0, bytes);
        WriteUniverse.Require(bytes.AsSpan().SequenceEqual(wanted), $"a stranger reads what block {block} does not hold (A3.2)");
    }

    /// <summary>
    /// A file whose page has got the lowest block, by a write-back whose persist has failed: nothing would show that block after a crash, so it is
    /// free as soon as the page is cut off. And another file with a dirty page, which is placed there if that comes first.
    /// </summary>
    private static (WriteUniverse Universe, WrittenFile File, WrittenFile Other) BoundAndNotDurable()
    {
        var universe = new WriteUniverse(tellsOfFreed: false);
        var file = universe.Open(10);
        var other = universe.Open(11);
        file.Write(0);
        universe.Store.FailingPersists = 1;
        WriteUniverse.Require(!file.FlushIfSound() && file.Stored.Blocks[0] == 0, "the page is bound to the lowest block, and not durable");
        other.Write(0);
        return (universe, file, other);
    }

    private static void FlushIfAttached(WriteUniverse universe)
    {
        try
        {
            universe.FlushAll();
        }
        catch (Exception error) when (error is ObjectDisposedException or CacheWritebackException)
        {
            Scheduler.Note("the volume is detached");
        }
    }
}
