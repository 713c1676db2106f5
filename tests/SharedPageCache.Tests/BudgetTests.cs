using System.Buffers;
using SharedPageCache.Tests.Support;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Tests;

/// <summary>Budgets that are counts, and therefore exact: bytes and device reads.</summary>
[Collection(HeapCollection.Name)]
public class BudgetTests
{
    private const int Pages = 1000;
    private const int Files = 1000;

    [Fact]
    [Trait("Row", "L17")]
    [Trait("Row", "C4")]
    public void A_thousand_files_of_a_thousand_pages_opened_independently_cost_under_a_mebibyte()
    {
        var device = new MemoryDevice(Pages * 4096L).Stamp();
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 64 << 20 });
        using var volume = cache.AttachVolume(device);
        var maps = Enumerable.Range(0, Files).Select(_ => new ListExtents(new Extent(0, Pages * 4096, 0))).ToArray();
        var files = new MappedFile[Files];
        var metadata = cache.GetStatistics().MetadataBytes;
        var heap = SettledHeap();
        for (var i = 0; i < Files; i++)
        {
            files[i] = volume.OpenFile(maps[i], Pages * 4096);
        }

        ReadAll(files);
        var heapGrowth = SettledHeap() - heap;
        var booked = cache.GetStatistics().MetadataBytes - metadata;
        Assert.Equal(Pages, device.BlocksRead);
        Assert.Equal(Pages * 4096L, cache.GetStatistics().ResidentBytes);
        Assert.Equal((Files - 1) * Pages * 4096L, cache.GetStatistics().SavedBytes);
        Assert.True(booked < 1 << 20, $"{booked} bytes booked");
        Assert.True(heapGrowth < 1 << 20, $"{heapGrowth} bytes of managed heap");
        cache.Verify();
        GC.KeepAlive(files);
    }

    [Fact]
    [Trait("Row", "L17")]
    public void The_same_by_clones_of_clones_costs_no_more()
    {
        var device = new MemoryDevice(Pages * 4096L).Stamp();
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 64 << 20 });
        using var volume = cache.AttachVolume(device);
        var files = new MappedFile[Files];
        files[0] = volume.OpenFile(new CloneableExtents(new Extent(0, Pages * 4096, 0)), Pages * 4096);
        var metadata = cache.GetStatistics().MetadataBytes;
        for (var i = 1; i < Files; i++)
        {
            files[i] = files[i - 1].Clone();
        }

        ReadAll(files);
        var booked = cache.GetStatistics().MetadataBytes - metadata;
        Assert.Equal(Pages, device.BlocksRead);
        Assert.Equal(Pages * 4096L, cache.GetStatistics().ResidentBytes);
        Assert.True(booked < 1 << 20, $"{booked} bytes booked");
        cache.Verify();
    }

    [Theory]
    [Trait("Row", "B2")]
    [InlineData(1L << 20)]
    [InlineData(1L << 30)]
    [InlineData(1L << 40)]
    public void A_clone_allocates_at_most_256_bytes_whatever_the_size(long length)
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 16 << 20 });
        using var volume = cache.AttachVolume(new EndlessDevice());
        var touched = new byte[8];

        // A collection in the midst of it counts up to 8 KiB that it has cut off for the thread: what the clones take is the least of some rounds.
        var least = long.MaxValue;
        var clones = new MappedFile[4096];
        for (var round = 0; round < 5; round++)
        {
            using var file = volume.OpenFile(new EmptyHookExtents(length), length);
            for (var step = 0; step < 64; step++)
            {
                file.Read(length / 64 * step, touched);
            }

            clones[0] = file.Clone();
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 1; i < clones.Length; i++)
            {
                clones[i] = file.Clone();
            }

            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before) / (clones.Length - 1));
            Array.ForEach(clones, static clone => clone.Dispose());
        }

        Assert.InRange(least, 1, 256);
        cache.Verify();
    }

    [Theory]
    [Trait("Row", "B4")]
    [InlineData(0)]
    [InlineData(500)]
    public void A_clone_of_a_dirty_file_allocates_at_most_512_bytes_however_much_is_dirty(int dirtyPages)
    {
        using var cache = new WriteCache(frames: 16_384);
        var file = cache.Own(cache.Volume.OpenFile(new EmptyWritableExtents(), 1L << 30));
        for (var page = 0L; page < dirtyPages; page++)
        {
            // In every other window.
            file.Write(page % 256 * (4 << 20) + page / 256 * 4096, [1]);
        }

        Assert.Equal(dirtyPages * 4096L, cache.Figures.DirtyBytes);
        var least = long.MaxValue;
        var clones = new MappedFile[128];
        for (var round = 0; round < 3; round++)
        {
            clones[0] = file.Clone();
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 1; i < clones.Length; i++)
            {
                clones[i] = file.Clone();
            }

            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before) / (clones.Length - 1));
            Assert.Equal((0, 0), (cache.Device.Writes, cache.Device.Reads));
            Array.ForEach(clones, static clone => clone.Dispose());
        }

        Assert.InRange(least, 1, 512);
        file.Delete();
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 1)]
    [InlineData(1, 16)]
    [InlineData(4, 16)]
    public void Metadata_stays_within_96_bytes_a_resident_page_in_quarter_resident_windows(int oneIn, int extentsPerWindow)
    {
        const int Windows = 512;
        const int PageSize = 512;
        const int WindowBytes = 512 * PageSize;
        var extents = new List<Extent>();
        var piece = WindowBytes / extentsPerWindow;
        for (var i = 0; i < Windows * extentsPerWindow; i++)
        {
            // Every piece lies elsewhere.
            extents.Add(new Extent((long)i * piece, piece, (long)(i * 7 % (Windows * extentsPerWindow)) * piece));
        }

        // Exactly as many frames as pages: what is measured is what a full cache costs.
        var pages = Windows * 512 / oneIn;
        var heap = SettledHeap();
        using var cache = new PageCache(new PageCacheOptions { PageSize = PageSize, ExactFrameCount = (pages * 64 / 63) + 2, MaxReadAheadPages = 0 });
        using var volume = cache.AttachVolume(new EndlessDevice(PageSize));
        var map = new ListExtents([.. extents]);
        var mapBytes = SettledHeap();
        using var file = volume.OpenFile(map, (long)Windows * WindowBytes);
        var buffer = new byte[8];
        for (long page = 0; page < Windows * 512; page += oneIn)
        {
            file.Read(page * PageSize, buffer);
        }

        var figures = cache.GetStatistics();
        Assert.Equal(0, figures.Evictions);
        var managed = SettledHeap() - mapBytes;
        var fixedBytes = cache.Engine.Rooms.FixedMetadataBytes;
        var booked = (double)figures.MetadataBytes / pages;
        var measured = (double)(managed + fixedBytes) / pages;
        Assert.True(booked is > 1 and <= 96 && measured is > 1 and <= 96, $"{booked:0.0} B a page booked, {measured:0.0} measured");
        cache.Verify();
        GC.KeepAlive(map);
        GC.KeepAlive(heap);
    }

    [Fact]
    [Trait("Contract", "C9")]
    public void What_many_files_use_of_a_huge_one_is_booked_and_given_back()
    {
        const long Length = 1L << 36;
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 256 << 20 });
        using var volume = cache.AttachVolume(new EndlessDevice(4096));
        using var file = volume.OpenFile(new EmptyHookExtents(Length), Length);
        var buffer = new byte[8];
        var places = Enumerable.Range(0, 16).Select(i => i * (Length / 16)).ToArray();
        Array.ForEach(places, place => file.Read(place, buffer));
        var clones = Enumerable.Range(0, 300).Select(_ => file.Clone()).ToArray();
        var heap = SettledHeap();
        var before = cache.GetStatistics().MetadataBytes;
        Array.ForEach(clones, clone => Array.ForEach(places, place => clone.Read(place, buffer)));
        var booked = cache.GetStatistics().MetadataBytes - before;
        var measured = SettledHeap() - heap;
        Assert.True(booked > 10 << 20 && booked >= measured * 0.95 && booked <= measured * 1.1, $"{booked} bytes booked, {measured} measured");
        Assert.Equal(300 * 16 * 4096, cache.GetStatistics().SavedBytes);
        Array.ForEach(clones, clone => clone.Dispose());
        Assert.InRange(cache.GetStatistics().MetadataBytes, 0, before + (64 << 10));
        cache.Verify();
    }

    private static void ReadAll(MappedFile[] files)
    {
        var buffer = new byte[Pages * 4096];
        var expected = new byte[buffer.Length];
        files[0].Read(0, expected);
        foreach (var file in files)
        {
            Assert.Equal(buffer.Length, file.Read(0, buffer));
            Assert.True(buffer.AsSpan().SequenceEqual(expected));
        }
    }

    private static long SettledHeap()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }

    /// <summary>A file of holes that is its own clone, and takes every change.</summary>
    private sealed class EmptyWritableExtents : IWritableExtentMap
    {
        public long Sequence => 0;

        public ValueTask GetExtentsAsync(long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken) => default;

        public IExtentMap Clone() => this;

        public void SetLength(long newLength)
        {
        }

        public void PunchHole(long offset, long length)
        {
        }

        public void Delete()
        {
        }
    }
}
