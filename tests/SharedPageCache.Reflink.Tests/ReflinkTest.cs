using System.Security.Cryptography;
using SharedPageCache.Reflink.Tests.Mounts;

namespace SharedPageCache.Reflink.Tests;

/// <summary>
/// What each test on a real file system has: a folder of its own, a cache with a store, and the checks at its end.
/// </summary>
[Collection(FileSystemTests.Name)]
public abstract class ReflinkTest : IDisposable
{
    private readonly List<string> _folders = [];

    protected ReflinkTest(MountedFileSystems fileSystems)
    {
        FileSystems = fileSystems;
        Cache = new PageCache(new PageCacheOptions { CapacityBytes = 64 << 20, MaxReadAheadPages = 0 });
        Store = new ReflinkStore(Cache);
    }

    protected MountedFileSystems FileSystems { get; }

    protected PageCache Cache { get; private set; }

    protected ReflinkStore Store { get; private set; }

    public void Dispose()
    {
        Verify();
        Store.Dispose();
        Cache.Verify();
        Cache.Dispose();
        foreach (var folder in _folders)
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Checks the cache and the store's bookkeeping.</summary>
    protected void Verify()
    {
        Cache.Verify();
        Store.Verify();
    }

    /// <summary>Begins again with another cache.</summary>
    protected void UseCache(PageCacheOptions options, ReflinkStoreOptions? storeOptions = null)
    {
        Store.Dispose();
        Cache.Dispose();
        Cache = new PageCache(options);
        Store = new ReflinkStore(Cache, storeOptions);
    }

    /// <summary>A fresh folder on a file system of a kind.</summary>
    protected string FolderOn(FileSystemKind kind)
    {
        var folder = Directory.CreateDirectory(Path.Combine(FileSystems.RootOf(kind), Guid.NewGuid().ToString("n"))).FullName;
        _folders.Add(folder);
        return folder;
    }

    /// <summary>Bytes that do not compress and tell one seed and place from another.</summary>
    protected static byte[] Bytes(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>
    /// Writes a file and makes it durable, so that its blocks have their place and the kernel's cache can let go of it.
    /// </summary>
    protected static byte[] Write(string path, byte[] content)
    {
        using (var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        KernelPageCache.Drop(path);
        return content;
    }

    protected static void Overwrite(string path, long offset, ReadOnlySpan<byte> content)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.Position = offset;
        file.Write(content);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Reads a whole file through the cache, in pieces that do not fit pages.</summary>
    protected static byte[] ReadAll(ReflinkedFile file)
    {
        var content = new byte[file.File.Length];
        for (var done = 0; done < content.Length;)
        {
            var read = file.File.Read(done, content.AsSpan(done, Math.Min(100_000, content.Length - done)));
            Assert.True(read > 0, $"{file.Path} ends at {done}");
            done += read;
        }

        return content;
    }

    protected static void AssertContent(byte[] expected, ReflinkedFile file)
    {
        var actual = ReadAll(file);
        Assert.Equal(expected.Length, actual.Length);
        if (!SHA256.HashData(expected).AsSpan().SequenceEqual(SHA256.HashData(actual)))
        {
            Assert.Fail($"{file.Path} differs from byte {expected.AsSpan().CommonPrefixLength(actual)} on.");
        }
    }

    /// <summary>The extents of a file that is not open in the store.</summary>
    protected static List<PhysicalExtent> ExtentsOf(string path)
    {
        using var handle = File.OpenHandle(path);
        return Native.ExtentQuery.Read(handle, path, 0, long.MaxValue, sync: true);
    }

    /// <summary>Makes a reflink, and makes sure that it is one.</summary>
    protected static string Reflink(string path, string target)
    {
        File.Copy(path, target);
        Assert.All(ExtentsOf(target), static extent => Assert.True(extent.IsShared, "File.Copy made a reflink"));
        return target;
    }

    /// <summary>Asserts that a read fails because the file has changed.</summary>
    protected static ReflinkFileChangedException AssertRefused(Action read)
    {
        var error = Assert.ThrowsAny<IOException>(read);
        for (Exception? inner = error; inner is not null; inner = inner.InnerException)
        {
            if (inner is ReflinkFileChangedException changed)
            {
                return changed;
            }
        }

        throw new Xunit.Sdk.XunitException($"Not refused but failed: {error}");
    }

    /// <summary>
    /// Writes files until the file system has given one of them a block that another file had.
    /// </summary>
    /// <returns>The path and the content of that file.</returns>
    protected static (string Path, byte[] Content) ReuseBlocks(string folder, IReadOnlyList<PhysicalExtent> freed, int length)
    {
        for (var i = 0; i < 200; i++)
        {
            Command.Run("sync", "-f", folder);
            var path = Path.Combine(folder, $"reuse-{i}");
            var content = Write(path, Bytes(length, 1000 + i));
            var reuses = ExtentsOf(path).Any(extent => freed.Any(old =>
                extent.PhysicalOffset < old.PhysicalOffset + old.Length && old.PhysicalOffset < extent.PhysicalOffset + extent.Length));
            if (reuses)
            {
                return (path, content);
            }
        }

        throw new Xunit.Sdk.XunitException("The file system never gave the blocks out again.");
    }
}
