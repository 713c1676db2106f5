using SharedPageCache.Faults;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Introspection;

/// <summary>The self-check is silent on a healthy cache, also a busy one, and finds damage of every kind.</summary>
public class VerifyTests
{
    private const int Length = 16 * 4096;

    /// <summary>What is broken, a word of the complaint, and how.</summary>
    public static TheoryData<string, string> Damage => new()
    {
        { "a reference without a record", "no record of family" },
        { "a reference to another block's frame", "but its runs say" },
        { "a reference to a free frame", "shows" },
        { "a block that the table does not find", "the physical table finds -1" },
        { "a block that is held twice", "the physical table finds" },
        { "a frame without an identity", "has no block" },
        { "a free frame with an identity", "still has the identity" },
        { "a free frame with places", "places" },
        { "a free frame that is on no list", "free" },
        { "a pin that was released twice", "pins" },
        { "a pin that was lost on a free frame", "pins" },
        { "a detached frame that nobody holds", "Detached" },
        { "a claim that nobody finished", "Claimed" },
        { "a page that the policy does not know", "policy" },
        { "a leaf that counts too few residents", "resident slots" },
        { "a touch that is not booked", "touch" },
        { "a mark that is not counted", "touched" },
    };

    [Theory]
    [Trait("Row", "I5")]
    [MemberData(nameof(Damage))]
    public void Planted_damage_is_found(string damage, string complaint)
    {
        var device = new MemoryDevice(1 << 20).Stamp();
        var cache = new PageCache(new PageCacheOptions { ExactFrameCount = 64, HugePages = false });
        var volume = cache.AttachVolume(device);
        var file = volume.OpenFile(new ListExtents(new Extent(0, Length, 0)), Length);
        file.ReadAll();
        cache.Verify();
        Plant(damage, cache.Engine.Rooms, file);
        var error = Assert.Throws<CacheCorruptionException>(cache.Verify);
        Assert.Contains(error.Violations, violation => violation.Contains(complaint));
        Assert.Contains($"{error.Violations.Count} broken invariants", error.Message);
    }

    [Fact]
    [Trait("Row", "I5")]
    public void What_moves_the_books_of_touches_counts_as_activity()
    {
        // Verify compares the books with a recount only if nothing happened meanwhile: first uses on hits, and closes, are such.
        using var cache = new TestCache();
        var rooms = cache.Cache.Engine.Rooms;
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        var clone = cache.Clone(file);
        var (before, booked) = (rooms.Activity, rooms.Ledger.TouchedResidents);
        clone.ReadWord(0);
        Assert.Equal(booked + 1, rooms.Ledger.TouchedResidents);
        Assert.NotEqual(before, rooms.Activity);
        before = rooms.Activity;
        clone.ReadWord(0);
        Assert.Equal(before, rooms.Activity);
        clone.Dispose();
        Assert.Equal(booked, rooms.Ledger.TouchedResidents);
        Assert.NotEqual(before, rooms.Activity);
    }

    [Fact]
    [Trait("Row", "I5")]
    public async Task A_busy_cache_is_verified_without_false_alarm()
    {
        var device = new VersionedDevice(64);
        using var cache = new PageCache(new PageCacheOptions { PageSize = 512, ExactFrameCount = 16, HugePages = false });
        using var volume = cache.AttachVolume(device);
        using var file = volume.OpenFile(new ListExtents(new Extent(0, 64 * 512, 0)), 64 * 512);
        var workers = Enumerable.Range(0, 2).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            for (var i = 0; i < 4000; i++)
            {
                var block = random.Next(64);
                switch (random.Next(6))
                {
                    case 0:
                        volume.Discard(new BlockRun(block * 512, 512));
                        break;
                    case 1:
                        using (file.Clone())
                        {
                        }

                        break;
                    case 2:
                        (await file.PinAsync(block * 512)).Dispose();
                        break;
                    default:
                        device.Check(file.ReadAt(block * 512, 512), block);
                        break;
                }
            }
        })).ToArray();
        do
        {
            cache.Verify();
        }
        while (!Task.WhenAll(workers).IsCompleted);
        await Task.WhenAll(workers).Within();
        cache.Verify();
    }

    [Theory]
    [Trait("Row", "I5")]
    [Trait("Row", "L15")]
    [InlineData("empty")]
    [InlineData("loading")]
    [InlineData("leased and discarded")]
    [InlineData("composite")]
    [InlineData("disposed")]
    public async Task Every_lawful_state_passes(string state)
    {
        using var cache = new TestCache(blockSize: 512);
        var file = cache.OpenRun(0, Length);
        switch (state)
        {
            case "loading":
                var gate = ReadGate.Before(cache.Device);
                var read = file.ReadAsync(0, new byte[8]).AsTask();
                cache.Cache.Verify();
                gate.Open();
                await read.Within();
                break;
            case "leased and discarded":
                using (await file.PinRangeAsync(0, 8192))
                {
                    cache.Volume.Discard(new BlockRun(0, Length));
                    cache.Cache.Verify();
                    cache.EvictAll();
                    cache.Cache.Verify();
                }

                break;
            case "composite":
                cache.Open(new Extent(0, 512, 512), new Extent(512, 3584, 65536)).ReadAll();
                cache.Cache.Verify();
                break;
            case "disposed":
                file.ReadAll();
                cache.Cache.Dispose();
                break;
        }

        cache.Cache.Verify();
    }

    private static void Plant(string damage, Rooms rooms, MappedFile file)
    {
        var leaf = file.Mapping.Tree.FindLeaf(0)!;
        var first = leaf[0];
        var second = leaf[1];
        switch (damage)
        {
            case "a reference without a record":
                rooms.Rmap.Clear(first.Frame);
                break;
            case "a reference to another block's frame":
                rooms.Rmap.Add(second.Frame, new Place(leaf.Family.Id, 0));
                leaf.Slots[0] = second.Word;
                break;
            case "a reference to a free frame":
                Assert.True(rooms.Pool.TryTake(default, out var free));
                leaf.Slots[0] = PageReference.Resident(free, rooms.Frames[free].State.Load().Generation).Word;
                rooms.Pool.Push(free);
                break;
            case "a block that the table does not find":
                rooms.Table.Remove(first.Frame, rooms.Frames.IdentityOf(first.Frame));
                break;
            case "a block that is held twice":
                rooms.Frames.SetIdentity(second.Frame, rooms.Frames.IdentityOf(first.Frame));
                break;
            case "a frame without an identity":
                rooms.Table.Remove(first.Frame, rooms.Frames.IdentityOf(first.Frame));
                rooms.Frames.SetIdentity(first.Frame, default);
                break;
            case "a free frame with an identity":
                Assert.True(rooms.Pool.TryTake(default, out var named));
                rooms.Pool.Push(named);
                rooms.Frames.SetIdentity(named, BlockIdentity.Of(0, 99, 0));
                break;
            case "a free frame with places":
                Assert.True(rooms.Pool.TryTake(default, out var placed));
                rooms.Pool.Push(placed);
                rooms.Rmap.Add(placed, new Place(leaf.Family.Id, 3));
                break;
            case "a free frame that is on no list":
                Assert.True(rooms.Pool.TryTake(default, out _));
                break;
            case "a pin that was released twice":
                rooms.Frames[first.Frame].Pins--;
                break;
            case "a pin that was lost on a free frame":
                Assert.True(rooms.Pool.TryTake(default, out var pinned));
                rooms.Pool.Push(pinned);
                rooms.Frames.Pin(pinned);
                break;
            case "a detached frame that nobody holds":
                Assert.True(rooms.Frames[first.Frame].State.TryDetach(rooms.Frames[first.Frame].State.Load()));
                rooms.Reclaimer.Unlist(first.Frame, rooms.Frames.IdentityOf(first.Frame));
                rooms.Reclaimer.Forget(first.Frame);
                break;
            case "a claim that nobody finished":
                Assert.True(rooms.Frames[first.Frame].State.TryClaim(first.Generation));
                break;
            case "a page that the policy does not know":
                rooms.Reclaimer.Forget(first.Frame);
                break;
            case "a leaf that counts too few residents":
                leaf.Slots[0] = PageReference.OnDevice(0).Word;
                break;
            case "a touch that is not booked":
                rooms.Ledger.AddTouchedResidents(1);
                break;
            case "a mark that is not counted":
                rooms.TouchedFrames.Set(first.Frame);
                var words = (Memory.NativeArray<long>)typeof(FrameBits)
                    .GetField("_words", System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Instance)!
                    .GetValue(rooms.TouchedFrames)!;
                words[first.Frame >> 6] = 0;
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(damage), damage, "unknown");
        }
    }
}
