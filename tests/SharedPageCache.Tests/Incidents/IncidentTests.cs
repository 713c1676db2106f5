using SharedPageCache.Frames;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Incidents;

/// <summary>What has gone wrong in systems of this kind, as far as reading goes; each test bears the incident's name.</summary>
public class IncidentTests
{
    private const int Length = 16 * 4096;

    [Fact]
    [Trait("Incident", "OpenZFS #15526")]
    [Trait("Row", "A10")]
    [Trait("Row", "F3")]
    public async Task OpenZFS_15526_a_hole_that_was_just_filled_is_not_taken_for_a_hole()
    {
        using var cache = new TestCache();
        var extents = new ListExtents();
        var file = cache.Open(extents, Length);
        var snapshot = cache.Clone(file);
        Assert.Equal(0UL, file.ReadWord(0));
        var filled = -1;
        var reader = Task.Run(() =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                var before = Volatile.Read(ref filled);
                for (var page = 0; page < 16; page++)
                {
                    var word = file.ReadWord(page * 4096);
                    Assert.True(word == MemoryDevice.Word((1 << 20) + (page * 4096)) || (word == 0 && page > before), $"page {page} after {before}");
                }

                if (before == 15)
                {
                    break;
                }
            }
        });
        for (var page = 0; page < 16; page++)
        {
            // The engine fills the next page of the hole; once it has said so, nobody reads zeros there.
            extents.Replace(new Extent(0, (page + 1) * 4096, 1 << 20));
            file.InvalidateExtents(page * 4096, 4096);
            Volatile.Write(ref filled, page);
            Assert.Equal(MemoryDevice.Word((1 << 20) + (page * 4096)), file.ReadWord(page * 4096));
        }

        await reader.Within();
        GC.KeepAlive(snapshot);
    }

    [Fact]
    [Trait("Incident", "FreeBSD SA-21:08.vm")]
    [Trait("Row", "L16")]
    [Trait("Row", "L22")]
    public void FreeBSD_SA_21_08_when_one_mapping_leaves_a_page_no_other_keeps_a_way_to_a_recycled_frame()
    {
        using var cache = new TestCache(frames: 8);
        var extents = new CloneableExtents(new Extent(0, 4096, 0));
        var leaver = cache.Open(extents, 4096);
        MappedFile[] others = [cache.Clone(leaver), cache.OpenRun(0, 4096), cache.Open(new Extent(0, 4096, 8192), new Extent(4096, 4096, 0))];
        leaver.ReadWord(0);
        foreach (var other in others)
        {
            other.ReadWord(other.Length - 4096);
        }

        extents.Replace(new Extent(0, 4096, 65536));
        leaver.InvalidateExtents(0, 4096);
        leaver.ReadWord(0);
        cache.Volume.Discard(new BlockRun(0, 4096));
        var strangers = cache.OpenRun(1 << 20, 7 * 4096);
        strangers.ReadAll();
        foreach (var other in others)
        {
            var buffer = Canary.Buffer(8);
            Assert.False(other.TryRead(other.Length - 4096, buffer, out _));
            Canary.AssertNothingForeign(buffer);
            Assert.Equal(MemoryDevice.Word(0), other.ReadWord(other.Length - 4096));
        }
    }

    [Fact]
    [Trait("Incident", "CVE-2020-29374")]
    [Trait("Contract", "C4")]
    public async Task CVE_2020_29374_a_pin_taken_before_the_last_owner_goes_still_shows_the_old_bytes()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        var lease = await clone.PinAsync(0);
        clone.Dispose();
        cache.Device.StampBlock(0, version: 1);
        cache.Volume.Discard(new BlockRun(0, 4096));
        Assert.Equal(MemoryDevice.Word(0, 1), file.ReadWord(0));
        file.Dispose();
        cache.OpenRun(1 << 20, 1 << 20).ReadAll();
        Files.AssertSame([.. Enumerable.Range(0, 512).SelectMany(i => BitConverter.GetBytes(MemoryDevice.Word(i * 8)))], lease.Memory.Span);
        lease.Dispose();
    }

    [Fact]
    [Trait("Incident", "Dirty Pipe")]
    [Trait("Contract", "C10")]
    public async Task Dirty_Pipe_no_field_of_a_frame_survives_its_tenant()
    {
        using var cache = new TestCache(frames: 8);
        var rooms = cache.Cache.Engine.Rooms;
        for (var round = 0; round < 4; round++)
        {
            var files = Enumerable.Range(0, 12).Select(i => cache.Open(new Extent(0, 4096, 0, ExtentFlags.None, 5), new Extent(4096, 4096, (i + 9) * 4096))).ToArray();
            foreach (var file in files)
            {
                file.ReadWord(0);
            }

            (await files[0].PinAsync(0)).Dispose();
            var frame = files[0].FrameAt(0).Value;
            Assert.True(rooms.TouchedFrames.IsSet(frame) && rooms.LeasedFrames.IsSet(frame) && rooms.Rmap.Count(frame) == 12);
            switch (round)
            {
                case 0:
                    cache.EvictAll();
                    break;
                case 1:
                    cache.Volume.Discard(new BlockRun(0, 4096));
                    break;
                case 2:
                    using (await files[0].PinAsync(0))
                    {
                        cache.Volume.Discard(new BlockRun(0, 4096));
                    }

                    break;
                default:
                    cache.Volume.Dispose();
                    break;
            }

            ref var header = ref rooms.Frames[frame];
            Assert.Equal(FramePhase.Free, header.State.Load().Phase);
            Assert.Equal((0, 0, 0, 0L), (header.Pins, header.Use, header.Queue, header.Record));
            Assert.Equal(default, rooms.Frames.IdentityOf(frame));
            Assert.Equal(0, rooms.Rmap.Count(frame));
            Assert.False(rooms.TouchedFrames.IsSet(frame));
            Assert.False(rooms.LeasedFrames.IsSet(frame));
        }
    }

    [Fact]
    [Trait("Incident", "xfstests generic/042, 214, 469, 515")]
    [Trait("Contract", "C10")]
    [Trait("Row", "A10")]
    public void Xfstests_what_lies_behind_an_old_end_or_in_unwritten_space_reads_zero()
    {
        using var cache = new TestCache(frames: 8, blockSize: 512);
        cache.OpenRun(1 << 20, 1 << 20).ReadAll();
        var id = new FileOpenOptions { Id = FileId.FromNumber(1) };
        var shorter = cache.Open(new ListExtents(new Extent(0, 4096 + 512, 0)), 4096 + 300, id);
        shorter.ReadAll();
        shorter.Dispose();

        // Grown by the engine: the block of the old end was zeroed behind it, the rest is unwritten.
        cache.Device.Bytes[(4096 + 300)..(4096 + 512)].Clear();
        cache.Volume.Discard(new BlockRun(4096, 512));
        var grown = cache.Open(
            new ListExtents(new Extent(0, 4096 + 512, 0), new Extent(4096 + 512, 8192, 65536, ExtentFlags.Unwritten)), 4096 + 512 + 8192, id);
        var bytes = grown.ReadAll();
        Files.AssertSame(cache.Device.Copy(0, 4096 + 300), bytes.AsSpan(0, 4096 + 300));
        Assert.Equal(-1, bytes.AsSpan(4096 + 300).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    [Trait("Incident", "LiteDB MemoryCache")]
    [Trait("Row", "D1")]
    [Trait("Contract", "C4")]
    public async Task LiteDB_between_look_up_and_pin_a_page_is_not_recycled()
    {
        const int Blocks = 12;
        var device = new VersionedDevice(Blocks);
        using var cache = new PageCache(new PageCacheOptions { PageSize = 512, ExactFrameCount = 5, HugePages = false });
        using var volume = cache.AttachVolume(device);
        using var file = volume.OpenFile(new ListExtents(new Extent(0, Blocks * 512, 0)), Blocks * 512);
        var seed = Random.Shared.Next();
        var threads = Enumerable.Range(0, 2).Select(number => Task.Run(() =>
        {
            var random = new Random(seed + number);
            for (var i = 0; i < 10_000; i++)
            {
                var block = random.Next(Blocks);
                if (file.TryPin(block * 512, out var lease))
                {
                    device.Check(lease.Span, block);
                    file.ReadAt(random.Next(Blocks) * 512, 8);
                    device.Check(lease.Span, block);
                    lease.Dispose();
                }
                else
                {
                    device.Check(file.ReadAt(block * 512, 512), block);
                }
            }
        })).ToArray();
        await Task.WhenAll(threads).Within();
        Assert.True(cache.GetStatistics().Evictions > 100, $"seed {seed}");
        cache.Verify();
    }

    [Fact]
    [Trait("Incident", "SlateDB #499/#1083/#1087")]
    [Trait("Row", "A6")]
    [Trait("Contract", "C1")]
    public void SlateDB_the_identity_is_neither_too_wide_nor_too_narrow()
    {
        using var cache = new TestCache();
        var second = new MemoryDevice(1 << 20).Stamp(version: 1);
        var volume = cache.Own(cache.Cache.AttachVolume(second));

        // Too wide: equal block numbers of two volumes are one page. Too narrow: clones and handles do not share.
        var id = new FileOpenOptions { Id = FileId.FromNumber(1) };
        MappedFile[] here = [cache.Open(new ListExtents(new Extent(0, Length, 0)), Length, id), cache.Open(new ListExtents(new Extent(0, Length, 0)), Length, id)];
        var there = cache.Own(volume.OpenFile(new ListExtents(new Extent(0, Length, 0)), Length, id));
        var clone = cache.Clone(there);
        Files.AssertSame(cache.Device.Copy(0, Length), here[0].ReadAll());
        Files.AssertSame(cache.Device.Copy(0, Length), here[1].ReadAll());
        Files.AssertSame(second.Copy(0, Length), there.ReadAll());
        Files.AssertSame(second.Copy(0, Length), clone.ReadAll());
        Assert.Equal((16, 16, 32), (cache.Device.BlocksRead, second.BlocksRead, cache.ResidentPages));
    }
}
