using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Sharing;

/// <summary>What makes two blocks the same: volume, address and the engine's generation, and nothing else.</summary>
public class IdentityTests
{
    [Fact]
    [Trait("Row", "A1")]
    [Trait("Row", "L12")]
    public void A_page_is_known_by_its_block_and_by_nothing_of_the_file()
    {
        using var cache = new TestCache();
        var a = cache.Open(new ListExtents(new Extent(0, 65536, 65536)), 65536, new FileOpenOptions { Id = FileId.FromNumber(1), Name = "a" });
        var b = cache.Open(new ListExtents(new Extent(0, 65536, 65536)), 60000, new FileOpenOptions { Id = FileId.FromNumber(2), Name = "b" });
        var c = cache.Open(new ListExtents(new Extent(4096 * 700, 65536, 65536)), 4096 * 716);
        a.ReadAll();
        b.ReadAll();
        Files.AssertSame(cache.Device.Copy(65536, 65536), c.ReadAt(4096 * 700, 65536));
        Assert.Equal(16, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "A2")]
    public void Another_generation_of_a_block_is_another_page()
    {
        using var cache = new TestCache();
        var old = cache.Open(new Extent(0, 4096, 8192, ExtentFlags.None, Generation: 7));
        Assert.Equal(MemoryDevice.Word(8192), old.ReadWord(0));
        cache.Device.StampBlock(2, version: 8);
        var young = cache.Open(new Extent(0, 4096, 8192, ExtentFlags.None, Generation: 8));
        var younger = cache.Open(new Extent(0, 8192, 8192, ExtentFlags.None, Generation: 8));
        Assert.Equal(MemoryDevice.Word(8192, 8), young.ReadWord(0));
        Assert.Equal(MemoryDevice.Word(8192, 8), younger.ReadWord(0));
        Assert.Equal(MemoryDevice.Word(8192), old.ReadWord(0));
        Assert.NotEqual(old.FrameAt(0), young.FrameAt(0));
        Assert.Equal(young.FrameAt(0), younger.FrameAt(0));
        Assert.Equal(2, cache.Device.BlocksRead);
    }

    [Fact]
    public void Neighbours_of_different_generations_keep_their_own()
    {
        using var cache = new TestCache();
        var file = cache.Open(new Extent(0, 4096, 8192, ExtentFlags.None, Generation: 7), new Extent(4096, 4096, 12288, ExtentFlags.None, Generation: 8));
        var (first, second) = (
            cache.Open(new Extent(0, 4096, 8192, ExtentFlags.None, Generation: 7)), cache.Open(new Extent(0, 4096, 12288, ExtentFlags.None, Generation: 8)));
        file.ReadAll();
        Assert.Equal((MemoryDevice.Word(8192), MemoryDevice.Word(12288)), (first.ReadWord(0), second.ReadWord(0)));
        Assert.Equal((file.FrameAt(0), file.FrameAt(4096)), (first.FrameAt(0), second.FrameAt(0)));
        Assert.Equal(2, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "A2")]
    [Trait("Contract", "C8")]
    public void Discard_drops_a_block_in_all_its_generations()
    {
        using var cache = new TestCache();
        var files = Enumerable.Range(0, 4)
            .Select(generation => cache.Open(new Extent(0, 4096, 8192, ExtentFlags.None, (uint)generation))).ToArray();
        foreach (var file in files)
        {
            file.ReadWord(0);
        }

        cache.Volume.Discard(new BlockRun(8192, 4096));
        cache.Device.StampBlock(2, version: 1);
        Assert.All(files, file => Assert.False(file.IsResident(0)));
        Assert.All(files, file => Assert.Equal(MemoryDevice.Word(8192, 1), file.ReadWord(0)));
    }

    [Fact]
    [Trait("Row", "A6")]
    [Trait("Row", "J3")]
    public void Blocks_of_equal_number_on_two_volumes_are_two_pages()
    {
        using var cache = new TestCache();
        var other = new MemoryDevice(1 << 20).Stamp(version: 5);
        var volume = cache.Own(cache.Cache.AttachVolume(other));
        var here = cache.OpenRun(8192, 4096);
        var there = cache.Own(volume.OpenFile(new ListExtents(new Extent(0, 4096, 8192)), 4096));
        Assert.Equal(MemoryDevice.Word(8192), here.ReadWord(0));
        Assert.Equal(MemoryDevice.Word(8192, 5), there.ReadWord(0));
        Assert.NotEqual(here.FrameAt(0), there.FrameAt(0));
        volume.Discard(new BlockRun(8192, 4096));
        Assert.True(here.IsResident(0));
        Assert.False(there.IsResident(0));
    }

    [Fact]
    [Trait("Row", "A6")]
    [Trait("Row", "J3")]
    public void Engines_and_volumes_share_one_budget()
    {
        using var cache = new TestCache(frames: 32);
        var devices = Enumerable.Range(0, 4).Select(version => new MemoryDevice(1 << 20).Stamp(version)).ToArray();
        var files = devices.Select(device => cache.Own(cache.Own(cache.Cache.AttachVolume(device))
            .OpenFile(new ListExtents(new Extent(0, 1 << 20, 0)), 1 << 20))).ToArray();
        for (var i = 0; i < files.Length; i++)
        {
            Files.AssertSame(devices[i].Bytes, files[i].ReadAll());
            Assert.InRange(cache.ResidentPages, 1, 32);
        }

        // One volume may use all that the others do not.
        Assert.Equal(28, cache.ResidentPages);
    }

    [Fact]
    [Trait("Row", "A6")]
    [Trait("Row", "J2")]
    [Trait("Row", "L27")]
    public void Two_engines_on_one_volume_share_its_pages()
    {
        using var cache = new TestCache();
        var listed = cache.Open(new ListExtents(new Extent(0, 65536, 0)), 65536);
        var other = cache.Open(new EmptyHookExtents(65536), 65536);
        listed.ReadAll();
        Files.AssertSame(cache.Device.Copy(0, 65536), other.ReadAll());
        Assert.Equal(16, cache.Device.BlocksRead);
        Assert.Equal(listed.FrameAt(4096), other.FrameAt(4096));
    }

    [Fact]
    [Trait("Row", "A6")]
    public void An_id_names_one_volume_at_a_time()
    {
        var id = VolumeId.NewId();
        using var cache = new TestCache(id: id);
        Assert.Contains(id.ToString(), Assert.Throws<ArgumentException>(
            () => cache.Cache.AttachVolume(cache.Device, new VolumeOptions { Id = id })).Message);
        var file = cache.OpenRun(0, 4096);
        file.ReadAll();
        cache.Volume.Dispose();
        cache.Device.StampBlock(0, version: 1);
        using var again = cache.Cache.AttachVolume(cache.Device, new VolumeOptions { Id = id });
        using var fresh = again.OpenFile(new ListExtents(new Extent(0, 4096, 0)), 4096);
        Assert.Equal(MemoryDevice.Word(0, 1), fresh.ReadWord(0));
    }

    [Fact]
    [Trait("Row", "A1")]
    public void Two_handles_on_one_file_are_one_tree()
    {
        using var cache = new TestCache();
        var id = new FileOpenOptions { Id = FileId.FromNumber(42) };
        var extents = new ListExtents(new Extent(0, 65536, 0));
        var one = cache.Open(extents, 65536, id);
        var two = cache.Open(extents, 65536, id);
        Assert.Equal(1, cache.Figures.OpenFiles);
        Assert.Equal(65536, cache.Figures.LogicalBytes);
        one.ReadAll();
        Assert.All(Enumerable.Range(0, 16), page => Assert.True(two.IsResident(page * 4096)));
        Assert.Equal(1, extents.Asked);
        Assert.Equal(0, cache.Figures.SavedBytes);
        one.Dispose();
        Assert.Throws<ObjectDisposedException>(() => one.ReadAt(0, 1));
        Assert.True(two.IsResident(0));
        two.Dispose();
        Assert.Equal(0, cache.Figures.OpenFiles);
    }

    [Fact]
    [Trait("Row", "A6")]
    public void The_number_of_a_volume_is_given_out_again_only_after_all_others()
    {
        using var cache = new TestCache(volumeNumbers: 4);
        var volumes = cache.Cache.Engine.Rooms.Volumes;
        int Attach() => volumes.Find(NumberOf(cache.Own(cache.Cache.AttachVolume(cache.Device))))!.Number;
        int NumberOf(CachedVolume volume) => volumes.All().Single(map => map.Id == volume.Id).Number;
        var second = cache.Cache.AttachVolume(cache.Device);
        Assert.Equal((0, 1), (NumberOf(cache.Volume), NumberOf(second)));
        second.Dispose();
        Assert.Equal([2, 3, 1], [Attach(), Attach(), Attach()]);
        Assert.Contains("at most 4", Assert.Throws<CacheCapacityException>(() => cache.Cache.AttachVolume(cache.Device)).Message);
        cache.Volume.Dispose();
        Assert.Equal(0, Attach());
    }

    [Fact]
    [Trait("Row", "A6")]
    public void Only_the_first_of_many_who_detach_a_volume_clears_up_after_it()
    {
        using var cache = new TestCache(volumeNumbers: 1);
        var volumes = cache.Cache.Engine.Rooms.Volumes;
        for (var round = 0; round < 200; round++)
        {
            using var ended = round == 0 ? cache.Volume : cache.Cache.AttachVolume(cache.Device);
            using var barrier = new Barrier(3);
            var attached = 0;
            void Detach()
            {
                barrier.SignalAndWait();
                ended.Dispose();
            }

            void DetachAndAttach()
            {
                barrier.SignalAndWait();
                ended.Dispose();
                Bounded.Until(() => volumes.All().Length == 0, "the number is free");
                using var next = cache.Cache.AttachVolume(cache.Device);
                using var file = next.OpenFile(new ListExtents(new Extent(0, 4096, 0)), 4096);
                file.ReadAll();
                attached = file.IsResident(0) ? 1 : 0;
            }

            Parallel.Invoke(Detach, Detach, DetachAndAttach);
            Assert.Equal(1, attached);
        }
    }
}
