using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests;

/// <summary>Opening, closing, and what of the cache goes with whom.</summary>
public sealed class OpeningTests(MountedFileSystems fileSystems) : ReflinkTest(fileSystems)
{
    private const int Size = 2 << 20;

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void The_last_close_discards_and_no_other(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Write(path, Bytes(Size, 1));
        var first = Store.Open(path);
        var second = Store.Open(Reflink(path, path + ".copy"));
        AssertContent(content, first);

        first.Dispose();
        Assert.Equal(Size, Cache.GetStatistics().ResidentBytes);
        AssertContent(content, second);
        Assert.Equal(Size / 4096, Cache.GetStatistics().DevicePagesRead);

        second.Dispose();
        Assert.Equal(0, Cache.GetStatistics().ResidentBytes);
        Assert.Equal(0, Cache.GetStatistics().OpenFiles);
        using var again = Store.Open(path);
        AssertContent(content, again);
        Assert.Equal(2 * Size / 4096, Cache.GetStatistics().DevicePagesRead);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Pages_stay_when_the_file_that_vouched_for_them_is_closed_and_another_is_opened(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Write(path, Bytes(Size, 1));
        var copies = Enumerable.Range(0, 4).Select(i => Reflink(path, $"{path}.{i}")).ToList();
        var vouching = Store.Open(path);
        using var second = Store.Open(copies[0]);
        AssertContent(content, vouching);
        vouching.Dispose();

        foreach (var copy in copies)
        {
            using var opened = Store.Open(copy);
            AssertContent(content, opened);
        }

        Assert.Equal(Size / 4096, Cache.GetStatistics().DevicePagesRead);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void One_inode_is_one_file_under_all_its_names(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Write(path, Bytes(Size, 1));
        Command.Run("ln", path, path + ".link");
        using var first = Store.Open(path);
        using var second = Store.Open(path + ".link");

        Assert.Equal(first.File.Id, second.File.Id);
        Assert.False(first.File.Id.IsNone);
        AssertContent(content, first);
        first.Dispose();
        AssertContent(content, second);

        Assert.Equal(Size / 4096, Cache.GetStatistics().DevicePagesRead);
        Assert.Equal(1, Cache.GetStatistics().OpenFiles);
        Assert.Throws<ObjectDisposedException>(() => first.File.Read(0, new byte[1]));
        Assert.Throws<ObjectDisposedException>(first.Revalidate);
        Assert.Throws<ObjectDisposedException>(() => first.GetPhysicalExtents());
    }

    [ReflinkFact(Xfs)]
    public void An_inode_number_that_is_given_out_again_is_another_file()
    {
        var path = Path.Combine(FolderOn(Xfs), "image");
        Write(path, Bytes(4096, 1));
        FileId id;
        using (var first = Store.Open(path))
        {
            id = first.File.Id;
        }

        for (var i = 0; i < 1000; i++)
        {
            File.Delete(path);
            Write(path, Bytes(4096, 2));
            using var second = Store.Open(path);
            Assert.NotEqual(id, second.File.Id);
            if (second.File.Id.Low == id.Low)
            {
                return;
            }
        }

        Assert.Fail("XFS never gave the inode number out again.");
    }

    [ReflinkFact(Xfs)]
    public void One_inode_in_two_domains_shares_its_blocks()
    {
        var path = Path.Combine(FolderOn(Xfs), "image");
        var content = Write(path, Bytes(Size, 1));
        using var first = Store.Open(path, new SecurityDomain(1));
        using var second = Store.Open(path, new SecurityDomain(2));

        AssertContent(content, first);
        AssertContent(content, second);

        Assert.Equal(new SecurityDomain(2), second.File.Domain);
        Assert.Equal(Size / 4096, Cache.GetStatistics().DevicePagesRead);
    }

    [ReflinkFact(Xfs)]
    public async Task A_lease_outlives_the_file()
    {
        var path = Path.Combine(FolderOn(Xfs), "image");
        var content = Write(path, Bytes(8192, 1));
        var file = Store.Open(path);
        using var lease = await file.File.PinAsync(4096);

        file.Dispose();

        Assert.Equal(content.AsMemory(4096).ToArray(), lease.Memory.ToArray());
    }

    [ReflinkFact(Xfs)]
    public void A_clone_in_memory_reads_through_the_file_and_is_refused_after_it()
    {
        var path = Path.Combine(FolderOn(Xfs), "image");
        var content = Write(path, Bytes(Size, 1));
        var file = Store.Open(path);
        using var clone = file.File.Clone();
        var page = new byte[4096];
        clone.Read(4096, page);
        Assert.True(content.AsSpan(4096, 4096).SequenceEqual(page));

        file.Dispose();

        Assert.ThrowsAny<Exception>(() => clone.Read(4096, page));
        Assert.ThrowsAny<Exception>(() => clone.Read(8192, page));
    }

    [ReflinkFact(Xfs)]
    public void An_empty_file_has_nothing_to_read()
    {
        var path = Path.Combine(FolderOn(Xfs), "empty");
        Write(path, []);
        using var file = Store.Open(path);

        Assert.Equal(0, file.File.Read(0, new byte[10]));
        Assert.Empty(file.GetPhysicalExtents());
        file.Revalidate();
    }

    [ReflinkFact(Xfs)]
    public void A_cache_has_one_store_and_may_have_another_after_it()
    {
        var path = Path.Combine(FolderOn(Xfs), "image");
        var content = Write(path, Bytes(Size, 1));
        Assert.Throws<InvalidOperationException>(() => new ReflinkStore(Cache));
        var left = Store.Open(path);
        Store.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Store.Open(path));
        Assert.True(left.File.IsClosed);

        using var store = new ReflinkStore(Cache);
        using var file = store.Open(path);
        AssertContent(content, file);
    }

    /// <summary>A load is often under way through a file that is closed meanwhile; nobody else may notice.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Files_may_be_opened_and_closed_by_many_threads_while_others_read_the_same_blocks(FileSystemKind kind)
    {
        UseCache(new PageCacheOptions { CapacityBytes = 4 << 20 });
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Write(path, Bytes(Size, 1));
        string[] paths = [path, .. Enumerable.Range(0, 3).Select(i => Reflink(path, $"{path}.{i}"))];
        var stop = DateTime.UtcNow + TimeSpan.FromSeconds(1.5);
        var rounds = 0;

        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, thread =>
        {
            var random = new Random(thread);
            var page = new byte[8192];
            while (DateTime.UtcNow < stop)
            {
                using var file = Store.Open(paths[random.Next(paths.Length)]);
                for (var i = random.Next(30); i >= 0; i--)
                {
                    var offset = random.Next(Size - page.Length);
                    Assert.Equal(page.Length, file.File.Read(offset, page));
                    Assert.True(content.AsSpan(offset, page.Length).SequenceEqual(page));
                }

                Interlocked.Increment(ref rounds);
            }
        });

        Assert.True(rounds > 20);
        Assert.Equal(0, Cache.GetStatistics().ResidentBytes);
        Assert.Equal(0, Cache.GetStatistics().OpenFiles);
    }

    [ReflinkFact(Xfs)]
    public void A_cache_that_is_disposed_first_leaves_nothing_open()
    {
        var path = Path.Combine(FolderOn(Xfs), "image");
        Write(path, Bytes(Size, 1));
        var cache = new PageCache(new PageCacheOptions { CapacityBytes = 8 << 20 });
        var store = new ReflinkStore(cache);
        var file = store.Open(path);
        ReadAll(file);

        cache.Dispose();
        file.Dispose();
        store.Dispose();

        Assert.DoesNotContain(
            Directory.EnumerateFiles("/proc/self/fd").Select(static link => File.ResolveLinkTarget(link, false)?.FullName), path.Equals);
    }

    [ReflinkFact(Xfs)]
    public void Files_of_many_extents_are_asked_for_in_many_calls()
    {
        var path = Path.Combine(FolderOn(Xfs), "fragmented");
        const int blocks = 1500;
        var content = new byte[blocks * 8192];
        using (var file = new FileStream(path, FileMode.Create, FileAccess.Write))
        {
            for (var i = 0; i < blocks; i++)
            {
                var block = Bytes(4096, i);
                block.CopyTo(content, i * 8192);
                file.Position = i * 8192;
                file.Write(block);
            }

            file.SetLength(content.Length);
            file.Flush(flushToDisk: true);
        }

        using var handle = File.OpenHandle(path);
        var all = Native.ExtentQuery.Read(handle, path, 0, long.MaxValue, sync: true, batch: 4000);
        Assert.Equal(blocks, all.Count(static extent => !extent.IsUnwritten));
        Assert.True(all.Count > 2 * Native.ExtentQuery.DefaultBatch);
        Assert.Equal(all, Native.ExtentQuery.Read(handle, path, 0, long.MaxValue, sync: true));
        Assert.Equal(all, Native.ExtentQuery.Read(handle, path, 0, long.MaxValue, sync: true, batch: 1));
        var part = Native.ExtentQuery.Read(handle, path, 81920, 16384, sync: false, batch: 1);
        Assert.Equal(
            all.Where(static extent => extent.FileOffset is >= 81920 and < 98304).Select(static extent => extent.PhysicalOffset),
            part.Select(static extent => extent.PhysicalOffset));

        using var opened = Store.Open(path);
        AssertContent(content, opened);
        Assert.Equal(blocks, Cache.GetStatistics().DevicePagesRead);
    }
}
