using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests;

/// <summary>Hazard A8: the file system gives blocks out again, and nobody may see what was in them before.</summary>
public sealed class BlockReuseTests(MountedFileSystems fileSystems) : ReflinkTest(fileSystems)
{
    private const int Size = 8 << 20;

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A8_blocks_of_a_deleted_file_show_the_content_of_the_file_that_has_them_now(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "old");
        var old = Write(path, Bytes(Size, 1));
        IReadOnlyList<PhysicalExtent> extents;
        using (var file = Store.Open(path))
        {
            AssertContent(old, file);
            extents = file.GetPhysicalExtents();
        }

        File.Delete(path);
        var (reusing, content) = ReuseBlocks(folder, extents, Size);

        using var opened = Store.Open(reusing);
        AssertContent(content, opened);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A8_blocks_that_an_open_file_has_lost_show_the_content_of_the_file_that_has_them_now(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "old");
        var old = Write(path, Bytes(Size, 1));
        using var file = Store.Open(path);
        AssertContent(old, file);
        var extents = file.GetPhysicalExtents();
        using (var truncated = new FileStream(path, FileMode.Open, FileAccess.Write))
        {
            truncated.SetLength(0);
        }

        var (reusing, content) = ReuseBlocks(folder, extents, Size);

        using var opened = Store.Open(reusing);
        AssertContent(content, opened);
        Assert.Throws<ReflinkFileChangedException>(file.Revalidate);
        AssertRefused(() => ReadAll(file));
        AssertContent(content, opened);
    }

    /// <summary>Deduplication moves a file to other blocks and leaves no trace in its times.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A8_blocks_that_were_taken_from_an_open_file_without_a_trace(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "moved");
        var content = Write(path, Bytes(Size, 1));
        var twin = Path.Combine(folder, "twin");
        Write(twin, content);
        using var moved = Store.Open(path);
        AssertContent(content, moved);
        var before = moved.GetPhysicalExtents();
        Command.Run("xfs_io", "-c", $"dedupe {twin} 0 0 {Size}", path);
        Assert.NotEqual(before[0].PhysicalOffset, moved.GetPhysicalExtents()[0].PhysicalOffset);

        var (reusing, otherContent) = ReuseBlocks(folder, before, Size);
        using var other = Store.Open(reusing);
        AssertContent(otherContent, other);

        // The content of the moved file is what it was; it is found at its new place, which it shares.
        AssertContent(content, moved);
        moved.Revalidate();
        var reads = Cache.GetStatistics().DevicePagesRead;
        using var opened = Store.Open(twin);
        AssertContent(content, opened);
        Assert.Equal(reads, Cache.GetStatistics().DevicePagesRead);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Blocks_that_moved_are_followed_by_revalidating(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "moved");
        var content = Write(path, Bytes(Size, 1));
        var twin = Path.Combine(folder, "twin");
        Write(twin, content);
        using var moved = Store.Open(path);
        using var unmoved = Store.Open(twin);
        AssertContent(content, unmoved);
        Command.Run("xfs_io", "-c", $"dedupe {twin} 0 0 {Size}", path);

        moved.Revalidate();
        AssertContent(content, moved);

        Assert.Equal(Size / 4096, Cache.GetStatistics().DevicePagesRead);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A8_an_overwritten_block_that_only_an_open_file_showed_is_read_again_for_its_clone(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var old = Write(path, Bytes(Size, 1));
        using var file = Store.Open(path);
        AssertContent(old, file);
        var content = Bytes(Size, 2);
        Overwrite(path, 0, content);

        using var clone = Store.Open(Reflink(path, path + ".copy"));

        AssertContent(content, clone);
    }

    /// <summary>
    /// Files of known content are made, cloned, read, overwritten and deleted in a small file system by several threads at
    /// once: a read shows the file's own content or is refused.
    /// </summary>
    [Theory]
    [OnFileSystem(Xfs, 7)]
    [OnFileSystem(Btrfs, 8)]
    public void A8_under_churn_no_read_shows_bytes_of_another_file(FileSystemKind kind, int seed)
    {
        const int threads = 4;
        const int length = 48 * 4096 + 100;
        UseCache(new PageCacheOptions { CapacityBytes = 6 << 20 });
        var folder = FolderOn(kind);
        var stop = DateTime.UtcNow + TimeSpan.FromSeconds(3);
        long reads = 0;
        long refusals = 0;

        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, thread =>
        {
            var random = new Random(seed * 100 + thread);
            var page = new byte[4096];
            for (var round = 0; DateTime.UtcNow < stop; round++)
            {
                var content = Bytes(length, random.Next());
                var path = Path.Combine(folder, $"{thread}-{round}");
                Write(path, content);
                File.Copy(path, path + ".copy");
                using var file = Store.Open(path);
                using var copy = Store.Open(path + ".copy");
                var overwritten = false;
                for (var i = 0; i < 60; i++)
                {
                    var offset = random.Next(0, 49) * 4096;
                    var chosen = random.Next(2) == 0 ? file : copy;
                    try
                    {
                        var read = chosen.File.Read(offset, page);
                        Assert.True(
                            page.AsSpan(0, read).SequenceEqual(content.AsSpan(offset, read)),
                            $"{chosen.Path} at {offset}, seed {seed}");
                        Interlocked.Increment(ref reads);
                    }
                    catch (IOException) when (chosen == file && overwritten)
                    {
                        Interlocked.Increment(ref refusals);
                    }

                    if (i == 20 && random.Next(2) == 0)
                    {
                        Overwrite(path, 0, Bytes(length, 1));
                        overwritten = true;
                    }

                    if (i >= 20 && random.Next(20) == 0)
                    {
                        break;
                    }
                }

                File.Delete(path);
                File.Delete(path + ".copy");
            }
        });

        Assert.True(reads > 100 && refusals > 0, $"only {reads} reads, {refusals} refused");
    }
}
