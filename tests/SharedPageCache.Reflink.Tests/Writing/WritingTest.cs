using SharedPageCache.Reflink.Tests.Mounts;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>A store that may write, and a plain reader that knows nothing of it.</summary>
public abstract class WritingTest : ReflinkTest
{
    protected const int Page = 4096;

    protected WritingTest(MountedFileSystems fileSystems)
        : base(fileSystems)
    {
        UseWritableCache();
    }

    protected void UseWritableCache(long capacity = 64 << 20, int pageSize = Page, TimeSpan? dirtyAge = null) => UseCache(
        new PageCacheOptions
        {
            CapacityBytes = capacity, PageSize = pageSize, MaxReadAheadPages = 0, DirtyAge = dirtyAge ?? TimeSpan.FromHours(1),
        },
        new ReflinkStoreOptions { AllowWriting = true });

    protected PageCacheStatistics Figures => Cache.GetStatistics();

    /// <summary>Makes a file with content on the disk and opens it for writing.</summary>
    protected ReflinkedFile OpenNew(string path, byte[] content)
    {
        Write(path, content);
        return Store.OpenForWriting(path);
    }

    /// <summary>What a plain reader finds in a file.</summary>
    protected static byte[] OnDisk(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        var content = new byte[file.Length];
        file.ReadExactly(content);
        KernelPageCache.Drop(path);
        return content;
    }

    protected static void AssertOnDisk(byte[] expected, string path)
    {
        var actual = OnDisk(path);
        Assert.True(
            expected.AsSpan().SequenceEqual(actual),
            $"{path} has {actual.Length} bytes and not {expected.Length}, or differs from byte {expected.AsSpan().CommonPrefixLength(actual)} on.");
    }

    /// <summary>Puts bytes over others; a longer array results if need be.</summary>
    protected static byte[] Overlaid(byte[] content, int offset, byte[] bytes)
    {
        var result = new byte[Math.Max(content.Length, offset + bytes.Length)];
        content.CopyTo(result, 0);
        bytes.CopyTo(result, offset);
        return result;
    }

    /// <summary>The blocks of a file as the file system names them, in units of 4 KiB.</summary>
    protected static HashSet<long> BlocksOf(string path) => BlocksOf(ExtentsOf(path));

    /// <summary>The same of a file that may have no name.</summary>
    protected static HashSet<long> BlocksOf(ReflinkedFile file) => BlocksOf(file.GetPhysicalExtents());

    private static HashSet<long> BlocksOf(IEnumerable<PhysicalExtent> extents) =>
        [.. extents.SelectMany(static extent =>
            Enumerable.Range(0, (int)(extent.Length / Page)).Select(i => extent.PhysicalOffset / Page + i))];
}
