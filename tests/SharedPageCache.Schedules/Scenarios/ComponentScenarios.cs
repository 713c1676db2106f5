using SharedPageCache.Concurrency;
using SharedPageCache.Eviction;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Memory;
using SharedPageCache.Physical;
using SharedPageCache.Rmap;
using SharedPageCache.Schedules.Exploring;
using static SharedPageCache.Schedules.World.Universe;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Single structures, without a cache around them.</summary>
internal static class ComponentScenarios
{
    private const int Buckets = 8;

    /// <summary>Blocks that fall into one bucket of a small table, and others that fall into another.</summary>
    private static readonly BlockIdentity[] Here = [.. InBucket(3).Take(5)];

    private static readonly BlockIdentity[] There = [.. InBucket(5).Take(3)];

    public static IEnumerable<Scenario> All =>
    [
        new("table: insert x insert of one block", () =>
        {
            var (frames, table) = Table();
            var answers = new int[2];
            return new Instance
            {
                Threads = [() => answers[0] = Insert(frames, table, 0, Here[0]), () => answers[1] = Insert(frames, table, 1, Here[0])],
                Check = () =>
                {
                    var winner = table.Find(Here[0]);
                    Require(answers[winner] == -1, $"frame {winner} is in the table, but its insertion answered {answers[winner]}");
                    Require(answers[1 - winner] == winner, $"the loser was answered {answers[1 - winner]}, not {winner}");
                    Require(table.ForEach(static _ => { }) == 1, "one block, one frame");
                },
            };
        }, Bounded: true),
        new("table: insert x remove x lookup", () =>
        {
            var (frames, table) = Table();
            Insert(frames, table, 0, Here[0]);
            Insert(frames, table, 1, Here[1]);
            Insert(frames, table, 2, Here[2]);
            return new Instance
            {
                Threads =
                [
                    () => table.Remove(1, Here[1]),
                    () => Require(Insert(frames, table, 3, Here[3]) == -1, "nobody else inserts it"),
                    () =>
                    {
                        Require(table.Find(Here[2]) == 2, "a block that is in the table the whole time is found");
                        Require(table.Find(Here[0]) == 0, "a block that is in the table the whole time is found");
                    },
                ],
                Check = () => RequireExactly(table, (Here[0], 0), (Here[2], 2), (Here[3], 3), (Here[1], -1)),
            };
        }),
        new("table: remove x remove of neighbours", () =>
        {
            var (frames, table) = Table();
            Insert(frames, table, 0, Here[0]);
            Insert(frames, table, 1, Here[1]);
            Insert(frames, table, 2, Here[2]);
            return new Instance
            {
                Threads =
                [
                    () => table.Remove(0, Here[0]),
                    () => table.Remove(1, Here[1]),
                    () => Require(table.Find(Here[2]) == 2, "a block that is in the table the whole time is found"),
                ],
                Check = () => RequireExactly(table, (Here[2], 2), (Here[0], -1), (Here[1], -1)),
            };
        }),
        new("table: recycle into another chain x append x lookup", () =>
        {
            var (frames, table) = Table();
            Insert(frames, table, 0, There[0]);
            Insert(frames, table, 1, Here[0]);
            Insert(frames, table, 2, Here[1]);
            return new Instance
            {
                Threads =
                [
                    () =>
                    {
                        table.Remove(2, Here[1]);
                        Require(Insert(frames, table, 2, There[1]) == -1, "nobody else inserts it");
                    },
                    () => Require(Insert(frames, table, 3, Here[2]) == -1, "nobody else inserts it"),
                    () =>
                    {
                        Require(table.Find(Here[0]) == 1, "a block that is in the table the whole time is found");
                        Require(table.Find(There[0]) == 0, "a block that is in the table the whole time is found");
                        Require(table.Find(There[2]) == -1, "a block that was never in the table is not found");
                    },
                ],
                Check = () => RequireExactly(
                    table, (There[0], 0), (Here[0], 1), (There[1], 2), (Here[2], 3), (Here[1], -1)),
            };
        }),
        new("table: recycle as the same block x insert", () =>
        {
            var (frames, table) = Table();
            Insert(frames, table, 0, Here[0]);
            Insert(frames, table, 1, Here[1]);
            var answers = new int[2];
            return new Instance
            {
                Threads =
                [
                    () =>
                    {
                        table.Remove(1, Here[1]);
                        answers[0] = Insert(frames, table, 1, Here[1]);
                    },
                    () =>
                    {
                        answers[1] = Insert(frames, table, 2, Here[1]);
                        Require(table.Find(Here[0]) == 0, "a block that is in the table the whole time is found");
                    },
                ],
                Check = () =>
                {
                    var winner = table.Find(Here[1]);
                    Require(winner is 1 or 2, $"found frame {winner}");
                    RequireExactly(table, (Here[0], 0), (Here[1], winner));
                },
            };
        }, Bounded: true),
        new("free list: pop x push x pop (ABA)", () =>
        {
            var frames = new FrameTable(4);
            var list = new FreeList(frames);
            for (var frame = 0; frame < 4; frame++)
            {
                list.Push(frame);
            }

            var owners = new int[4];
            return new Instance
            {
                Threads =
                [
                    () => Take(list, owners, give: true),
                    () =>
                    {
                        Take(list, owners, give: false);
                        Take(list, owners, give: true);
                    },
                    () =>
                    {
                        Take(list, owners, give: true);
                        Take(list, owners, give: false);
                    },
                ],
                Check = () =>
                {
                    var free = 0;
                    while (list.TryPop(out var frame))
                    {
                        Require(owners[frame]++ == 0, $"frame {frame} is free and taken");
                        free++;
                    }

                    Require(free == 2, $"{free} of 2 frames are left");
                    Require(list.Count == 0, $"the count is off by {list.Count}");
                },
            };
        }),
        new("reverse map: add x add x walk", () =>
        {
            var frames = new FrameTable(65);
            var rmap = new ReverseMap(frames);
            rmap.Add(0, new Place(1, 1));
            return new Instance
            {
                Threads =
                [
                    () => Add(rmap, 0, 2, 3),
                    () => Add(rmap, 0, 4, 2),
                    () =>
                    {
                        Span<Place> places = stackalloc Place[8];
                        var count = rmap.CopyTo(0, places);
                        Require(places[..count].Contains(new Place(1, 1)), "a walk sees what was there before it began");
                        Require(places[..count].ToArray().Distinct().Count() == count, "no place twice");
                    },
                ],
                Check = () => RequirePlaces(rmap, 0, 1, 2, 3, 4),
            };
        }),
        new("reverse map: remove x add x add", () =>
        {
            var frames = new FrameTable(65);
            var rmap = new ReverseMap(frames);
            rmap.Add(0, new Place(1, 1));
            return new Instance
            {
                Threads =
                [
                    () =>
                    {
                        rmap.Remove(0, new Place(1, 1));
                        Require(!rmap.Contains(0, new Place(1, 1)), "what was removed is gone");
                    },
                    () => Add(rmap, 0, 2, 3),
                    () => Add(rmap, 0, 3, 4),
                ],
                Check = () =>
                {
                    RequirePlaces(rmap, 0, 2, 3, 4);
                    rmap.Remove(0, new Place(3, 3));
                    RequirePlaces(rmap, 0, 2, 4);
                    Add(rmap, 0, 5, 6, 7, 8, 9, 10, 11, 12);
                    rmap.Remove(0, new Place(7, 7));
                    RequirePlaces(rmap, 0, 2, 4, 5, 6, 8, 9, 10, 11, 12);
                    rmap.Clear(0);
                    RequirePlaces(rmap, 0);
                },
            };
        }),
        new("reverse map: remove of the last places x clear", () =>
        {
            var frames = new FrameTable(65);
            var rmap = new ReverseMap(frames);
            Add(rmap, 0, 1, 2);
            return new Instance
            {
                Threads =
                [
                    () =>
                    {
                        rmap.Remove(0, new Place(1, 1));
                        rmap.Remove(0, new Place(2, 2));
                    },
                    () =>
                    {
                        rmap.Clear(0);
                        Add(rmap, 0, 3, 4);
                    },
                ],
                Check = () => RequirePlaces(rmap, 0, 3, 4),
            };
        }),
        new("reverse map: chain to set x add x clear of a neighbour", () =>
        {
            var frames = new FrameTable(65);
            var rmap = new ReverseMap(frames);
            Add(rmap, 0, 1, 2, 3, 4, 5, 6, 7);
            Add(rmap, 64, 1, 2);
            return new Instance
            {
                Threads =
                [
                    () => Add(rmap, 0, 8, 9),
                    () => Add(rmap, 0, 9, 10),
                    () =>
                    {
                        rmap.Clear(64);
                        Add(rmap, 64, 20, 21);
                    },
                ],
                Check = () =>
                {
                    RequirePlaces(rmap, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
                    RequirePlaces(rmap, 64, 20, 21);
                },
            };
        }),
        new("gate: together x alone", () =>
        {
            var gate = new GateBox();
            int inside = 0, alone = 0;
            void Together()
            {
                gate.Gate.EnterShared();
                inside++;
                Scheduler.Note("inside together");
                Require(alone == 0, "nobody is inside with one who is alone");
                inside--;
                gate.Gate.ExitShared();
            }

            void Alone()
            {
                gate.Gate.EnterAlone();
                alone++;
                Scheduler.Note("inside alone");
                Require(alone == 1 && inside == 0, "who is alone is alone");
                alone--;
                gate.Gate.ExitAlone();
            }

            return new Instance { Threads = [Together, Alone, () => { Together(); Alone(); }] };
        }),
        new("completion: set x wait x wait", () =>
        {
            var done = new Completion();
            var value = 0;
            return new Instance
            {
                Threads =
                [
                    () =>
                    {
                        value = 1;
                        done.Set();
                    },
                    () =>
                    {
                        done.Wait();
                        Require(value == 1, "who has waited sees what was done");
                    },
                    () =>
                    {
                        done.WaitAsync(CancellationToken.None).GetAwaiter().GetResult();
                        Require(value == 1, "who has waited sees what was done");
                    },
                ],
            };
        }),
        new("lease quota: sweep x lease", () =>
        {
            var (frames, leased) = (new FrameTable(4), new FrameBits(4));
            var quota = new LeaseQuota(frames, leased, 2);
            leased.Set(0);
            leased.Set(1);
            return new Instance
            {
                Threads = [() => TryLease(frames, quota, 0), () => TryLease(frames, quota, 2)],
                Check = () =>
                {
                    for (var frame = 0; frame < 4; frame++)
                    {
                        Require(frames[frame].Pins == 0 || leased.IsSet(frame), $"frame {frame} is leased and not charged");
                    }

                    Require(
                        leased.Count == Enumerable.Range(0, 4).Count(leased.IsSet), $"{leased.Count} bits are counted");
                },
            };
        }, Bounded: true),
        new("lease quota: lease x lease x lease", () =>
        {
            var (frames, leased) = (new FrameTable(4), new FrameBits(4));
            var quota = new LeaseQuota(frames, leased, 2);
            leased.Set(0);
            return new Instance
            {
                Threads =
                [
                    () => TryLease(frames, quota, 1), () => TryLease(frames, quota, 2), () => TryLease(frames, quota, 3),
                ],
                Check = () =>
                {
                    var held = Enumerable.Range(0, 4).Count(frame => frames[frame].Pins > 0);
                    Require(held <= quota.Limit, $"{held} frames are leased, the limit is {quota.Limit} (C9)");
                },
            };
        }),
        new("lease quota: lease x lease x lease of the same page", () =>
        {
            var (frames, leased) = (new FrameTable(4), new FrameBits(4));
            var quota = new LeaseQuota(frames, leased, 2);
            leased.Set(0);
            frames.Pin(0);
            return new Instance
            {
                Threads =
                [
                    () => TryLease(frames, quota, 1), () => TryLease(frames, quota, 2), () => TryLease(frames, quota, 2),
                ],
                Check = () =>
                {
                    var held = Enumerable.Range(0, 4).Where(frame => frames[frame].Pins > 0).ToList();
                    Require(held.TrueForAll(leased.IsSet), $"a leased frame is not charged: {string.Join(", ", held)} (C9)");
                    Require(held.Count <= quota.Limit, $"{held.Count} frames are leased, the limit is {quota.Limit} (C9)");
                },
            };
        }),
        new("leaf index: answer x discard and the heir's answer", () =>
        {
            var (clock, families, ledger) = (new RegionClock(), new FamilyTable(), new NodeLedger());
            var index = new LeafIndex(clock, new RegionIndex(families, pageShift: 9), pageShift: 9);
            var runs = WindowRuns.Encode([new WindowRun(0, 512, 10 * 512, ExtentFlags.None, 0)], 512);
            var (isGone, discarded) = (false, long.MaxValue);
            Leaf? first = null;
            return new Instance
            {
                Threads =
                [
                    () =>
                    {
                        var age = clock.Now;
                        if (!isGone && !clock.HasChangedSince(age, runs, 9))
                        {
                            first = index.FindOrAdd(runs, 1, age, families, ledger);
                        }
                    },
                    () =>
                    {
                        isGone = true;
                        Scheduler.Note("the engine's answer changes");
                        clock.Advance(10, 10);
                        discarded = clock.Now;
                        index.FindOrAdd(runs, 1, clock.Now, families, ledger);
                    },
                ],
                Check = () => Require(
                    first is null || first.Age < discarded, $"an answer from before the discard got a leaf of age {first?.Age} (C8)"),
            };
        }, Bounded: true),
    ];

    private static IEnumerable<BlockIdentity> InBucket(int bucket)
    {
        for (var block = 0L; ; block++)
        {
            var identity = BlockIdentity.Of(0, block, 0);
            if ((int)Math.BigMul(identity.Hash, Buckets, out _) == bucket)
            {
                yield return identity;
            }
        }
    }

    private static (FrameTable Frames, PhysicalTable Table) Table()
    {
        var frames = new FrameTable(5);
        return (frames, new PhysicalTable(frames));
    }

    private static int Insert(FrameTable frames, PhysicalTable table, int frame, BlockIdentity identity)
    {
        frames.SetIdentity(frame, identity);
        return table.TryInsert(frame, identity);
    }

    private static void RequireExactly(PhysicalTable table, params (BlockIdentity Identity, int Frame)[] expected)
    {
        foreach (var (identity, frame) in expected)
        {
            Require(table.Find(identity) == frame, $"{identity} is in frame {table.Find(identity)}, not {frame}");
        }

        var count = table.ForEach(static _ => { });
        Require(count == expected.Count(static entry => entry.Frame >= 0), $"{count} frames are in the table");
    }

    private static void Take(FreeList list, int[] owners, bool give)
    {
        Require(list.TryPop(out var frame), "there is a free frame for everybody");
        Require(owners[frame]++ == 0, $"frame {frame} was given to two");
        Scheduler.Note($"has frame {frame}");
        if (give)
        {
            owners[frame]--;
            list.Push(frame);
        }
    }

    private static void TryLease(FrameTable frames, LeaseQuota quota, int frame)
    {
        frames.Pin(frame);
        if (!quota.TryCharge(frame))
        {
            frames.Unpin(frame);
        }
    }

    private static void Add(ReverseMap rmap, int frame, params int[] families)
    {
        foreach (var family in families)
        {
            rmap.Add(frame, new Place(family, family));
            Require(rmap.Contains(frame, new Place(family, family)), "what was added is there");
        }
    }

    private static void RequirePlaces(ReverseMap rmap, int frame, params int[] families)
    {
        Span<Place> places = stackalloc Place[32];
        var count = rmap.CopyTo(frame, places);
        Require(count == rmap.Count(frame), $"{count} places are copied, {rmap.Count(frame)} counted");
        Require(
            places[..count].ToArray().ToHashSet().SetEquals(families.Select(static family => new Place(family, family))),
            $"places of frame {frame}: {string.Join(", ", places[..count].ToArray())}");
    }

    private sealed class GateBox
    {
        public Gate Gate;
    }
}
