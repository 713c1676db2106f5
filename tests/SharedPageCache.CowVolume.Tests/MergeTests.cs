using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>A branch becomes the file that it was made of; random histories and crashes of it are in the model.</summary>
public sealed class MergeTests
{
    private const int Page = 4096;

    [Fact]
    public async Task A_large_file_takes_over_another_in_constant_time_and_keeps_what_it_shall()
    {
        using var volume = CowVolume.Create(new SectorDevice(1L << 30, Page));
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(20_000 * Page, 1));
        var branch = file.Clone();
        await volume.WriteAsync(branch, 0, WriteBack.Bytes(200 * Page, 2));
        await volume.WriteAsync(file, 100 * Page, WriteBack.Bytes(Page, 3));
        var expected = volume.ReadAll(branch);
        WriteBack.Bytes(Page, 3).CopyTo(expected, 100 * Page);
        var sequence = (file.Sequence, branch.Sequence);
        var before = GC.GetAllocatedBytesForCurrentThread();
        file.ReplaceWith(branch, [new FileRange(100 * Page, Page)]);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8192);
        Assert.Equal((sequence.Item1 + 1, sequence.Item2), (file.Sequence, branch.Sequence));
        Assert.Equal(expected, volume.ReadAll(file));
        Assert.NotEqual(expected, volume.ReadAll(branch));
        volume.AssertClean();
        branch.Dispose();
        Assert.Equal(expected, volume.ReadAll(file));
        volume.AssertClean();
        Assert.Equal(20_000, volume.GetStatistics().ContentBlocks);
    }

    [Fact]
    public void What_cannot_be_taken_over_is_refused_and_nothing_has_changed()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Page));
        using var other = CowVolume.Create(new SectorDevice(8 << 20, Page));
        var (file, branch) = (volume.CreateFile("file"), volume.CreateFile("branch"));
        file.SetLength(10 * Page);
        Assert.Throws<ArgumentException>(() => file.ReplaceWith(other.CreateFile("stranger"), []));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReplaceWith(branch, [new FileRange(1, Page)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReplaceWith(branch, [new FileRange(0, -Page)]));
        Assert.Equal(10 * Page, file.Length);
        file.ReplaceWith(file, []);
        Assert.Equal(10 * Page, file.Length);
        file.ReplaceWith(branch, [new FileRange(0, 100 * Page)]);
        Assert.Equal(0, file.Length);
        Assert.Empty(file.Extents());
        volume.AssertClean();
    }

    [Fact]
    public async Task Branches_that_are_merged_through_the_cache_are_there_again_after_a_flush()
    {
        using var path = new TemporaryFile();
        var bytes = WriteBack.Bytes(3000 * Page + 17, 1);
        using (var volume = CowVolume.Create(path.Path, new CowVolumeOptions { CapacityBytes = 64 << 20 }))
        {
            using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 16 << 20, PageSize = Page });
            using var attached = volume.Attach(cache);
            var file = attached.OpenFile(volume.CreateFile("file"), 0);
            file.Write(0, bytes);
            await file.FlushAsync();
            for (var round = 0; round < 10; round++)
            {
                using var branch = file.Clone();
                var own = WriteBack.Bytes(3000, 100 + round);
                branch.Write(round * 500_000, own);
                own.CopyTo(bytes, round * 500_000);
                if (round % 2 == 0)
                {
                    await branch.FlushAsync();
                }

                own = WriteBack.Bytes(5000, 200 + round);
                branch.Write(round * 500_000 + 2000, own);
                own.CopyTo(bytes, round * 500_000 + 2000);
                branch.MergeInto(file);
            }

            await file.FlushAsync();
            cache.Verify();
            volume.AssertClean();
        }

        using var again = CowVolume.Open(path.Path);
        Assert.Equal(bytes, again.ReadAll(again.OpenFile("file")));
        again.AssertClean();
    }
}
