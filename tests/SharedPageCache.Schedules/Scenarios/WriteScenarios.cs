using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Writes that meet writes, reads, leases, clones, and changes of shape. Letters: the tables of hazards.</summary>
internal static class WriteScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("write x write of one page", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            return universe.Run(() => file.Write(0), () => file.Write(0));
        }, Bounded: true),
        new("write x write of halves of a clean page", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Read(0);
            return universe.Run(() => file.WriteHalf(0, 0), () => file.WriteHalf(0, 1));
        }, Bounded: true),
        new("write x write of halves of a dirty page", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(() => file.WriteHalf(0, 0), () => file.WriteHalf(0, 1));
        }, Bounded: true),
        new("write x write of halves of a page that is not in memory", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            return universe.Run(() => file.WriteHalf(0, 0), () => file.WriteHalf(0, 1));
        }),
        new("write x write of neighbours", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            return universe.Run(() => file.WriteHalf(0, 1), () => file.WriteHalf(1, 0), () => file.Read(0));
        }),
        new("write of several pages x write x clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, -1);
            return universe.Run(
                () => file.WritePages(0, 2),
                () => file.WriteHalf(1, 0),
                () => file.Clone().ReadAll());
        }),
        new("write of several pages x clone sees all or nothing (C5)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                () => file.WritePages(0, 2),
                () =>
                {
                    var clone = file.Clone();
                    var (first, second) = (clone.Read(0), clone.Read(1));
                    WriteUniverse.Require(
                        first[0] == second[0] || (first[0].Number == 1 && second[0] == WriteDevice.Original(11)),
                        $"a clone shows half a write: {first[0]} and {second[0]} (C5)");
                });
        }),
        new("one write in place x one optimistic read", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(() => file.Write(0), () => RequireWhole(file, 0, halvesAreWritten: false));
        }, Bounded: true),
        new("write in place x optimistic read", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () =>
                {
                    file.Write(0);
                    file.WriteHalf(0, 1);
                },
                () =>
                {
                    file.TryRead(0);
                    file.TryRead(0);
                },
                () => RequireWhole(file, 0));
        }, Bounded: true),
        new("write x pin: a lease is a snapshot (A2a)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.Write(0),
                () => file.Lease(0, static () => { }),
                () => file.Lease(0, static () => { }));
        }, Bounded: true),
        new("copy on write x write in place x lease (A2b)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.Lease(0, static () => { }),
                () => file.WriteHalf(0, 0),
                () => file.WriteHalf(0, 1));
        }),
        new("lease x write x flush", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.Lease(0, () => file.WriteHalf(0, 1)),
                () => file.WriteHalf(0, 0),
                file.Flush);
        }),
        new("clone x write by the origin (A3)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.Write(0),
                () =>
                {
                    var clone = file.Clone();
                    clone.Read(0);
                    clone.Read(0);
                });
        }, Bounded: true),
        new("clone x write by both sides (A3)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.Read(0);
                },
                () =>
                {
                    var clone = file.Clone();
                    clone.WriteHalf(0, 1);
                    file.WriteHalf(0, 1);
                    clone.Read(0);
                    file.Read(0);
                });
        }),
        new("two clones x writes of all (P4, Q8)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            var clone = file.Clone();
            var other = file.Clone();
            return universe.Run(() => file.WriteHalf(0, 0), () => clone.Write(0), () => other.Write(0));
        }),
        new("two last owners go at once (Q8)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(() => file.Write(0), () => clone.Write(0));
        }, Bounded: true),
        new("overwrite by one owner x leaf copy by the other (Q8)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(
                () => file.Write(0),
                () =>
                {
                    clone.Write(1);
                    clone.Read(0);
                });
        }, Bounded: true),
        new("two last owners go at once, leased (P4)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(() => file.Write(0), () => clone.Punch(0), () => clone.Lease(0, () => file.Read(0)));
        }),
        new("take-over is none: write by the last sharer x read (P1, P2, Q2)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(
                () => file.Write(0),
                () =>
                {
                    clone.WriteHalf(0, 1);
                    clone.Read(0);
                },
                () =>
                {
                    file.TryRead(0);
                    file.Read(0);
                });
        }),
        new("clone of a clone x writes", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(
                () => clone.Clone().WriteHalf(0, 0),
                () =>
                {
                    clone.WriteHalf(0, 1);
                    clone.Read(0);
                },
                () => file.WriteHalf(0, 1));
        }),
        new("punch of an absent window x clone's fault (A5a)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            var clone = file.Clone();
            return universe.Run(
                () =>
                {
                    file.Punch(0);
                    file.Read(0);
                },
                () =>
                {
                    clone.Read(0);
                    clone.Read(1);
                },
                () => file.Read(1));
        }),
        new("fault publishing x punch (A5d)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            return universe.Run(() => file.Read(0), () => file.Punch(0), () => file.Read(1));
        }),
        new("truncate and grow x read x clone's fault (A5a)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            var clone = file.Clone();
            return universe.Run(
                () =>
                {
                    file.Truncate(1);
                    file.Grow(3);
                    file.Read(2);
                },
                () => clone.Read(2),
                () => file.Read(0));
        }),
        new("truncate x write", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            file.Write(2);
            return universe.Run(() => file.Truncate(1), () => file.WriteHalf(2, 0), () => file.Write(1));
        }),
        new("cut inside a dirty page that a clone shows x write-back x read", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(1);
            var clone = file.Clone();
            return universe.Run(
                () =>
                {
                    clone.TruncateHalves(3);
                    clone.ReadIfThere(1);
                    clone.Grow(2);
                },
                file.Flush,
                () => file.Read(1));
        }),
        new("cut inside a dirty page that a clone shows x write x clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(1);
            var clone = file.Clone();
            return universe.Run(
                () =>
                {
                    clone.TruncateHalves(3);
                    clone.Grow(2);
                    clone.Read(1);
                },
                () => clone.WriteHalf(1, 0),
                () =>
                {
                    var again = clone.Clone();
                    again.ReadIfThere(1);
                    again.Grow(2);
                });
        }),
        new("grow x grow by writes", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            return universe.Run(() => file.Write(2), () => file.WriteHalf(1, 1), () => file.Clone().ReadAll());
        }),
        new("punch x write", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(() => file.Punch(0), () => file.WriteHalf(0, 0), () => file.WriteHalf(1, 0));
        }),
        new("write in part that loads x punch", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            return universe.Run(() => file.WriteHalf(0, 1), () => file.Punch(0));
        }, Bounded: true),
        new("write in part x extents changed by the engine", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            var seen = default(Sector);
            var run = universe.Run(
                () => file.WriteHalf(0, 1),
                () =>
                {
                    file.ChangedByEngine(0, 30);
                    seen = file.Read(0)[0];
                });
            return new Instance
            {
                Threads = run.Threads,
                NameOf = run.NameOf,
                Check = () =>
                {
                    WriteUniverse.Require(
                        seen != WriteDevice.Original(30) || file.Read(0)[0] == seen, "a write of the other half has brought back what the engine has replaced");
                    run.Check();
                },
            };
        }, Bounded: true),
        new("punch that the engine refuses x write x clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            file.Stored.Refuses = true;
            return universe.Run(
                () =>
                {
                    try
                    {
                        file.Punch(0);
                    }
                    catch (IOException)
                    {
                        Scheduler.Note("refused");
                    }
                },
                () => file.WriteHalf(0, 0),
                () => file.Read(0));
        }),
        new("write x evict", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Read(0);
            file.Read(1);
            return universe.Run(() => file.WriteHalf(0, 0), universe.Evict, () => file.WriteHalf(1, 1));
        }),
        new("write x discard of other blocks", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Read(0);
            return universe.Run(
                () => file.WriteHalf(0, 0),
                () => universe.Volume.Discard(new BlockRun(11 * Sector.Size, Sector.Size)),
                () => file.Read(1));
        }),
        new("write x leaf sweep", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Read(0);
            return universe.Run(
                () => file.WriteHalf(0, 0),
                () =>
                {
                    universe.Evict();
                    universe.Cache.Engine.Rooms.Sweeper.Sweep();
                },
                () => file.Read(1));
        }),
        new("writer marks are the file's own (Q4)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.WriteHalf(0, 0),
                () => file.Clone().WriteHalf(0, 1),
                () => file.WriteHalf(0, 1));
        }),
        new("verify x write x clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            return universe.Run(
                universe.Cache.Verify,
                () =>
                {
                    file.Write(0);
                    file.Clone().Write(0);
                });
        }),
    ];

    /// <summary>Both halves of a page were written by one call: a read inside the page never shows one without the other.</summary>
    private static void RequireWhole(WrittenFile file, int page, bool halvesAreWritten = true)
    {
        var bytes = new byte[Sector.Size];
        file.File.Read((long)page * Sector.Size, bytes);
        var (first, second) = (Sector.Of(bytes.AsSpan(0, WrittenFile.Half)), Sector.Of(bytes.AsSpan(WrittenFile.Half), WrittenFile.Half / 8));
        var mayDiffer = halvesAreWritten && second.Number > first.Number;
        WriteUniverse.Require(first == second || mayDiffer, $"a read shows {first} and {second}: torn");
    }
}
