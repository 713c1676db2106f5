using SharedPageCache.Eviction;
using SharedPageCache.Faults;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Hits;

/// <summary>After eviction no view reaches the frame; what goes first; and how much work it may be.</summary>
public class EvictedPageTests
{
    private const int Length = 16 * 4096;

    [Theory]
    [Trait("Row", "L16")]
    [Trait("Row", "L21")]
    [Trait("Row", "L22")]
    [Trait("Row", "L28")]
    [InlineData(EvictionPolicy.S3Fifo)]
    [InlineData(EvictionPolicy.Clock)]
    public void After_eviction_no_view_hits_the_frame(EvictionPolicy policy)
    {
        using var cache = new TestCache(policy: policy);
        var file = cache.OpenRun(0, Length);
        (MappedFile File, long Block)[] views =
        [
            (file, 1), (cache.Clone(file), 1), (cache.OpenRun(0, Length), 1), (cache.OpenRun(4096, Length), 2),
            .. Enumerable.Range(0, ReferenceWalk.MaxPlaces + ReferenceWalk.MaxLeaves)
                .Select(i => (cache.Open(new Extent(0, 8192, 4096), new Extent(8192, 4096, (i + 100) * 4096)), 2L)),
        ];
        foreach (var (view, _) in views)
        {
            view.ReadAt(0, 8192);
        }

        var evictions = cache.Figures.Evictions;
        cache.EvictAll();
        Assert.Equal(0, cache.ResidentPages);
        Assert.Equal(3, cache.Figures.Evictions - evictions);
        cache.OpenRun(2 << 20, 60 * 4096).ReadAll();
        foreach (var (view, _) in views)
        {
            var buffer = Canary.Buffer(4096);
            Assert.False(view.TryRead(0, buffer, out _));
            Assert.False(view.TryRead(4096, buffer, out _));
            Assert.False(view.TryPin(0, out _));
            Canary.AssertNothingForeign(buffer);
        }

        Assert.All(views, view => Assert.Equal(MemoryDevice.Word(view.Block * 4096), view.File.ReadWord(4096)));
    }

    [Fact]
    [Trait("Row", "L33")]
    public void A_page_that_many_share_is_evicted_for_all_and_comes_back_as_one()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        MappedFile[] views =
        [
            file, .. Enumerable.Range(0, 100).Select(_ => cache.Clone(file)), .. Enumerable.Range(0, 100).Select(_ => cache.OpenRun(0, Length)),
        ];
        Assert.All(views, view => Assert.Equal(MemoryDevice.Word(4096), view.ReadWord(4096)));
        cache.EvictAll();
        Assert.Equal(0, cache.ResidentPages);
        var reads = cache.Figures.DevicePagesRead;
        Assert.All(views, view => Assert.Equal(MemoryDevice.Word(4096), view.ReadWord(4096)));
        Assert.Equal((1, 1), (cache.Figures.DevicePagesRead - reads, cache.ResidentPages));
        Assert.Equal(views.Length, cache.Volume.FindReferences(new BlockRun(4096, 4096)).Count(static place => place.IsResident));
    }

    [Fact]
    [Trait("Row", "L28")]
    [Trait("Row", "L16")]
    public void The_evictor_turns_references_back_in_all_unrelated_trees_without_any_file()
    {
        using var cache = new TestCache();
        var files = new[] { cache.OpenRun(0, Length), cache.OpenRun(4096, Length), cache.OpenRun(8192, Length) };
        foreach (var file in files)
        {
            file.ReadAll();
        }

        var leaves = files.Select(file => file.Mapping.Tree.FindLeaf(0)!).ToArray();
        Assert.All(leaves, leaf => Assert.Equal(16, leaf.Residents));
        cache.EvictAll();
        Assert.All(leaves, leaf => Assert.Equal(0, leaf.Residents));
        Assert.All(leaves, leaf => Assert.All(
            Enumerable.Range(0, 16), slot => Assert.Equal(ReferenceKind.OnDevice, leaf[slot].Kind)));
    }

    [Fact]
    [Trait("Row", "D2")]
    [Trait("Row", "L21")]
    public void A_scan_does_not_wash_out_the_hot_set()
    {
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20);
        var hot = cache.OpenRun(0, 32 * 4096);
        for (var round = 0; round < 4; round++)
        {
            hot.ReadAll();
        }

        cache.OpenRun(1 << 20, 1500 * 4096).ReadAll();
        var reads = cache.Device.BlocksRead;
        hot.ReadAll();
        Assert.Equal(reads, cache.Device.BlocksRead);
    }

    /// <summary>A long read takes many frames before its pages come: they are the window's, not the main ring's.</summary>
    [Fact]
    [Trait("Row", "D2")]
    public void A_scan_in_long_reads_leaves_what_is_asked_for_often()
    {
        using var cache = new TestCache(frames: 1024, deviceLength: 16 << 20, policy: EvictionPolicy.WindowTinyLfu);
        var hot = cache.OpenRun(0, 400 * 4096);
        for (var round = 0; round < 6; round++)
        {
            hot.ReadAll();
        }

        var scan = cache.OpenRun(2 << 20, 3000 * 4096);
        for (var page = 0; page < 3000; page += 60)
        {
            scan.ReadAt(page * 4096, 60 * 4096);
        }

        var reads = cache.Device.BlocksRead;
        hot.ReadAll();
        Assert.InRange(cache.Device.BlocksRead - reads, 0, 20);
    }

    [Fact]
    [Trait("Row", "D2")]
    public void A_page_that_comes_back_soon_after_its_eviction_is_remembered()
    {
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20);
        var scan = cache.OpenRun(1 << 20, 1500 * 4096);
        var file = cache.OpenRun(0, 8 * 4096);
        file.ReadAll();
        scan.ReadAt(0, 120 * 4096);
        Assert.False(file.IsResident(0));

        // Read once again: the ghosts know these blocks, so this time they outlive a scan.
        file.ReadAll();
        scan.ReadAt(200 * 4096, 600 * 4096);
        var reads = cache.Device.BlocksRead;
        file.ReadAll();
        Assert.Equal(reads, cache.Device.BlocksRead);
    }

    [Theory]
    [Trait("Row", "D3")]
    [Trait("Row", "L24")]
    [InlineData(EvictionPolicy.S3Fifo, 1)]
    [InlineData(EvictionPolicy.S3Fifo, 40)]
    [InlineData(EvictionPolicy.Clock, 1)]
    [InlineData(EvictionPolicy.Clock, 40)]
    public void A_library_that_all_containers_use_outlives_what_each_reads_once(EvictionPolicy policy, int pagesPerRead)
    {
        // Chinner's libc test: reclaim must not take libc before a page that was read once.
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20, policy: policy);
        var libc = cache.OpenRun(0, 16 * 4096);
        var containers = Enumerable.Range(0, 30).Select(_ => cache.Clone(libc)).ToArray();
        for (var i = 0; i < containers.Length; i++)
        {
            containers[i].ReadAll();
            var own = cache.OpenRun((1 << 20) + (i * 40 * 4096), 40 * 4096);
            for (var page = 0; page < 40; page += pagesPerRead)
            {
                own.ReadAt(page * 4096, pagesPerRead * 4096);
            }
        }

        Assert.True(cache.Figures.Evictions > 1000);
        Assert.Equal(16 + (30 * 40), cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "D4")]
    [Trait("Contract", "C9")]
    public void When_much_is_pinned_an_eviction_looks_at_a_bounded_number_of_frames()
    {
        const int Frames = 4096;
        CountingPolicy? policy = null;
        var rooms = new Rooms(
            MemoryPlan.WithFrames(Frames, 512), hugePages: false, (table, count) => policy = new CountingPolicy(new ClockPolicy(table, count)), TimeProvider.System);
        var frames = new List<int>();
        while (rooms.Pool.TryTake(default, out var frame))
        {
            // A resident page that somebody pins.
            frames.Add(frame);
            rooms.Frames[frame].State.BeginLoading();
            var generation = rooms.Frames[frame].State.Load().Generation;
            var identity = BlockIdentity.Of(0, frame, 0);
            rooms.Frames.SetIdentity(frame, identity);
            rooms.Table.TryInsert(frame, identity);
            Assert.True(rooms.Frames[frame].State.TryPublish(generation));
            rooms.Frames.Pin(frame);
            rooms.Reclaimer.Admit(frame, generation, identity.Hash);
        }

        Assert.False(rooms.Supply.TryTake(default, out _));
        Assert.InRange(policy!.Picks, 1, Reclaimer.MaxEffort);

        // One that nobody pins is found in the end, by calls that are each bounded.
        rooms.Frames.Unpin(frames[Frames / 2]);
        var calls = 0;
        for (var found = false; !found; calls++)
        {
            Assert.True(calls <= Frames / Reclaimer.MaxEffort + 1);
            var before = policy.Picks;
            found = rooms.Supply.TryTake(default, out var frame);
            Assert.True(policy.Picks - before <= Reclaimer.MaxEffort);
            Assert.True(!found || frame == frames[Frames / 2]);
        }

        GC.KeepAlive(rooms);
    }

    [Fact]
    [Trait("Row", "L13")]
    [Trait("Row", "L23")]
    [Trait("Row", "L24")]
    public void A_look_up_by_block_takes_a_few_steps_however_many_blocks_are_known()
    {
        foreach (var count in new[] { 1_000, 100_000 })
        {
            var frames = new FrameTable(count);
            var table = new Physical.PhysicalTable(frames);
            for (var frame = 0; frame < count; frame++)
            {
                // Long runs on three volumes, as files have them.
                var identity = BlockIdentity.Of(frame % 3, frame / 3 * (frame % 3 + 1), 0);
                frames.SetIdentity(frame, identity);
                Assert.Equal(-1, table.TryInsert(frame, identity));
            }

            // The chains run through the headers: the low half of Next is the following frame plus one.
            var following = Enumerable.Range(0, count).Select(frame => (int)(uint)frames[frame].Next - 1).ToArray();
            var starts = Enumerable.Range(0, count).Except(following);
            long steps = 0;
            var longest = 0;
            foreach (var start in starts)
            {
                var depth = 0;
                for (var frame = start; frame >= 0; frame = following[frame])
                {
                    steps += ++depth;
                }

                longest = Math.Max(longest, depth);
            }

            Assert.InRange((double)steps / count, 1, 3);
            Assert.InRange(longest, 1, 20);
            Assert.Equal(count, table.ForEach(_ => { }));
        }
    }

    [Fact]
    [Trait("Row", "L10")]
    public void Finding_a_page_costs_the_same_whether_two_or_ten_thousand_show_it()
    {
        using var cache = new TestCache();
        var origin = cache.OpenRun(0, Length);
        origin.ReadAll();
        var clones = new List<MappedFile>();
        long[] costs = new long[3];
        for (var step = 0; step < 3; step++)
        {
            var fresh = cache.Open(new Extent(0, 4096 * (step + 2), (1 << 20) + (step * 65536)), new Extent(65536, 4096, 4096 * step));
            fresh.ReadWord(0);
            var before = GC.GetAllocatedBytesForCurrentThread();
            fresh.ReadWord(65536);
            costs[step] = GC.GetAllocatedBytesForCurrentThread() - before;
            for (var i = 0; i < 5000 * step; i++)
            {
                clones.Add(cache.Clone(origin));
            }
        }

        Assert.Equal(3, cache.Figures.MinorFaults);
        Assert.Equal(costs[1], costs[2]);
        Assert.Equal(1, cache.Cache.Engine.Rooms.Rmap.Count(origin.FrameAt(15 * 4096).Value));
        Assert.Equal(2, cache.Cache.Engine.Rooms.Rmap.Count(origin.FrameAt(4096).Value));
    }

    [Fact]
    [Trait("Row", "D4")]
    public void Leaves_that_lost_all_their_pages_are_reclaimed()
    {
        using var cache = new TestCache(frames: 16, pageSize: 512, blockSize: 512);
        using var volume = cache.Cache.AttachVolume(new EndlessDevice(512));
        const int Windows = 400;
        using var file = volume.OpenFile(new EmptyHookExtents(Windows * 512L * 512), Windows * 512L * 512);
        for (var window = 0L; window < Windows; window++)
        {
            file.ReadWord(window * 512 * 512);
        }

        Assert.True(Leaves(file) < Windows / 2, $"{Leaves(file)} leaves for 15 resident pages");
        for (var window = 0L; window < Windows; window++)
        {
            Assert.Equal(MemoryDevice.Word(window * 512 * 512), file.ReadWord(window * 512 * 512));
        }
    }

    private static int Leaves(MappedFile file)
    {
        var leaves = 0;
        file.Mapping.Tree.ForEachLeaf((_, _) => leaves++);
        return leaves;
    }

    private sealed class CountingPolicy(IEvictionPolicy policy) : IEvictionPolicy
    {
        public int Picks { get; private set; }

        public long MetadataBytes => policy.MetadataBytes;

        public void Admit(int frame, ulong identityHash) => policy.Admit(frame, identityHash);

        public int PickVictim()
        {
            Picks++;
            return policy.PickVictim();
        }

        public void PutBack(int frame) => policy.PutBack(frame);

        public void Spare(int frame) => policy.Spare(frame);

        public void Evicted(int frame, ulong identityHash) => policy.Evicted(frame, identityHash);

        public void Remove(int frame) => policy.Remove(frame);
    }
}
