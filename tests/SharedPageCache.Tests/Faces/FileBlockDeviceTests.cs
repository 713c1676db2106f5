using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Faces;

/// <summary>A regular file as a device, around the system's cache where it can be.</summary>
public sealed class FileBlockDeviceTests : IDisposable
{
    private readonly string _path = Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName());

    public void Dispose() => File.Delete(_path);

    [Theory]
    [Trait("Row", "J4")]
    [Trait("Row", "G5")]
    [Trait("Row", "G6")]
    [Trait("Row", "L24")]
    [InlineData(true, 4096, 4096)]
    [InlineData(false, 4096, 4096)]
    [InlineData(true, 4096, 512)]
    [InlineData(true, 512, 4096)]
    [InlineData(true, 65536, 4096)]
    public async Task A_file_is_read_through_the_cache(bool direct, int pageSize, int blockSize)
    {
        // Not a whole number of blocks: the rest of the last one reads zero.
        var content = Write((1 << 20) + 1234);
        using var device = FileBlockDevice.Open(_path, new FileBlockDeviceOptions { DirectIO = direct, BlockSize = blockSize });
        Assert.Equal((content.Length + blockSize - 1) / blockSize * blockSize, device.Length);
        Assert.True(direct || !device.IsDirect);
        using var cache = new PageCache(new PageCacheOptions { PageSize = pageSize, ExactFrameCount = 100, HugePages = false });
        using var volume = cache.AttachVolume(device);
        using var file = volume.OpenFile(new ListExtents(new Extent(0, device.Length, 0)), content.Length);
        using var clone = file.Clone();
        Files.AssertSame(content, file.ReadAll());
        var buffer = new byte[content.Length];
        Assert.Equal(content.Length, await clone.ReadAsync(0, buffer));
        Files.AssertSame(content, buffer);
        using var whole = volume.OpenFile(new ListExtents(new Extent(0, device.Length, 0)), device.Length);
        Assert.Equal(-1, whole.ReadAll().AsSpan(content.Length).IndexOfAnyExcept((byte)0));
        cache.Verify();
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task A_device_may_be_written_if_so_opened_and_flushed()
    {
        Write(1 << 16);
        using var device = FileBlockDevice.Open(_path, new FileBlockDeviceOptions { Writable = true, DirectIO = false });
        var page = new byte[4096];
        page.AsSpan().Fill(7);
        Assert.Equal(4096, await device.WriteAsync(new BlockRun(8192, 4096), default, [page], default));
        await device.FlushAsync(default);
        using var readOnly = FileBlockDevice.Open(_path);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 1 << 20, HugePages = false });
        using var volume = cache.AttachVolume(readOnly);
        using var file = volume.OpenFile(new ListExtents(new Extent(0, 1 << 16, 0)), 1 << 16);
        Files.AssertSame(page, file.ReadAt(8192, 4096));
        var refused = await Assert.ThrowsAnyAsync<UnauthorizedAccessException>(
            async () => await readOnly.WriteAsync(new BlockRun(0, 4096), default, [page], default));
        Assert.Contains("FileBlockDeviceOptions.Writable", refused.Message, StringComparison.Ordinal);
        cache.Verify();
    }

    [Fact]
    public void An_exclusive_device_has_its_file_for_itself()
    {
        Write(1 << 16);
        using (FileBlockDevice.Open(_path, new FileBlockDeviceOptions { Exclusive = true, Writable = true }))
        {
            Assert.Throws<IOException>(() => FileBlockDevice.Open(_path));
            Assert.Throws<IOException>(() => FileBlockDevice.Open(_path, new FileBlockDeviceOptions { Exclusive = true }));
        }

        using (FileBlockDevice.Open(_path))
        using (FileBlockDevice.Open(_path))
        {
            Assert.Throws<IOException>(() => FileBlockDevice.Open(_path, new FileBlockDeviceOptions { Exclusive = true, Writable = true }));
        }
    }

    [Fact]
    [Trait("Row", "J4")]
    public void What_cannot_be_opened_is_refused()
    {
        Assert.Throws<FileNotFoundException>(() => FileBlockDevice.Open(_path + ".none"));
        Assert.Throws<ArgumentException>(() => FileBlockDevice.Open(""));
        Assert.Throws<ArgumentNullException>(() => FileBlockDevice.Open(null!));
        Write(4096);
        foreach (var blockSize in new[] { 0, -1, 511, 768, 131072 })
        {
            Assert.Contains("from 512 to 65536", Assert.Throws<ArgumentOutOfRangeException>(
                () => FileBlockDevice.Open(_path, new FileBlockDeviceOptions { BlockSize = blockSize })).Message);
        }
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Contract", "C11")]
    public void Extents_beyond_the_file_are_refused_and_a_file_that_shrinks_fails_its_loads()
    {
        var content = Write(1 << 16);
        using var device = FileBlockDevice.Open(_path);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 1 << 20, HugePages = false });
        using var volume = cache.AttachVolume(device);
        using var beyond = volume.OpenFile(new ListExtents(new Extent(0, 1 << 17, 0)), 1 << 17);
        Assert.Contains($"{1 << 16}", Assert.Throws<ExtentMapException>(() => beyond.ReadWord(0)).Message);
        using var file = volume.OpenFile(new ListExtents(new Extent(0, 1 << 16, 0)), 1 << 16);
        file.ReadWord(0);
        using (var shrink = new FileStream(_path, FileMode.Open))
        {
            shrink.SetLength(8192);
        }

        Assert.Throws<PageLoadException>(() => file.ReadWord(32768));
        Files.AssertSame(content.AsSpan(4096, 8), file.ReadAt(4096, 8));
        cache.Verify();
    }

    [Fact]
    [Trait("Row", "J2")]
    public async Task A_device_is_read_only_unless_it_says_otherwise_and_its_flush_does_nothing()
    {
        IBlockDevice device = new EndlessDevice();
        Assert.Contains("EndlessDevice", (await Assert.ThrowsAsync<NotSupportedException>(
            async () => await device.WriteAsync(new BlockRun(0, 4096), default, [new byte[4096]], default))).Message);
        await device.FlushAsync(default);
        var buffer = new byte[4096];
        Assert.Equal(4096, device.Read(new BlockRun(8192, 4096), default, [buffer]));
        Assert.Equal(MemoryDevice.Word(8192), BitConverter.ToUInt64(buffer));
    }

    private byte[] Write(int length)
    {
        var content = new byte[length];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(_path, content);
        return content;
    }
}
