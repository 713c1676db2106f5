using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Faces;

/// <summary>A mapped file as a read-only, seekable stream.</summary>
public class StreamTests
{
    private const int Length = (16 * 4096) + 123;

    [Fact]
    [Trait("Row", "J4")]
    public async Task A_stream_reads_the_file_from_where_it_stands()
    {
        using var cache = new TestCache();
        var file = Open(cache);
        using var stream = file.OpenStream();
        var expected = cache.Device.Copy(0, Length);
        Assert.Equal((true, true, false, false), (stream.CanRead, stream.CanSeek, stream.CanWrite, stream.CanTimeout));
        Assert.Equal((Length, 0), (stream.Length, stream.Position));
        var buffer = new byte[5000];
        Assert.Equal(5000, stream.Read(buffer, 0, 5000));
        Files.AssertSame(expected.AsSpan(0, 5000), buffer);
        Assert.Equal(5000, await stream.ReadAsync(buffer));
        Files.AssertSame(expected.AsSpan(5000, 5000), buffer);
        Assert.Equal(5000, await stream.ReadAsync(buffer.AsMemory()));
        Assert.Equal(expected[15_000], stream.ReadByte());
        Assert.Equal(15_001, stream.Position);
        stream.Position = Length - 10;
        Assert.Equal(10, stream.Read(buffer));
        Assert.Equal(0, stream.Read(buffer));
        Assert.Equal(-1, stream.ReadByte());
        using var copy = new MemoryStream();
        stream.Position = 0;
        await stream.CopyToAsync(copy);
        Files.AssertSame(expected, copy.ToArray());
        stream.Position = 3;
        using var second = new MemoryStream();
        stream.CopyTo(second, 777);
        Files.AssertSame(expected.AsSpan(3), second.ToArray());
        Assert.Equal(17, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "J4")]
    public void Seeking_follows_the_rules_of_streams()
    {
        using var cache = new TestCache();
        using var stream = Open(cache).OpenStream();
        Assert.Equal(100, stream.Seek(100, SeekOrigin.Begin));
        Assert.Equal(150, stream.Seek(50, SeekOrigin.Current));
        Assert.Equal(Length - 1, stream.Seek(-1, SeekOrigin.End));
        Assert.Equal(Length + 1000, stream.Seek(1000, SeekOrigin.End));
        Assert.Equal(0, stream.Read(new byte[10]));
        Assert.Throws<IOException>(() => stream.Seek(-1, SeekOrigin.Begin));
        Assert.Throws<IOException>(() => stream.Seek(-Length - 1, SeekOrigin.End));
        Assert.Throws<IOException>(() => stream.Seek(long.MaxValue, SeekOrigin.End));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Seek(0, (SeekOrigin)7));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Position = -1);
        Assert.Equal(Length + 1000, stream.Position);
        stream.Position = long.MaxValue;
        Assert.Equal(0, stream.Read(new byte[10]));
        Assert.Equal(long.MaxValue, stream.Position);
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task A_stream_is_read_only_and_cancellable()
    {
        using var cache = new TestCache();
        using var stream = Open(cache).OpenStream();
        Assert.Throws<NotSupportedException>(() => stream.SetLength(0));
        Assert.Throws<NotSupportedException>(() => stream.Write(new byte[1], 0, 1));
        Assert.Throws<NotSupportedException>(() => stream.WriteByte(1));
        stream.Flush();
        await stream.FlushAsync();
        Assert.Throws<ArgumentNullException>(() => stream.Read(null!, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Read(new byte[2], 1, 2));
        var gate = ReadGate.Before(cache.Device);
        using var cancel = new CancellationTokenSource();
        var read = stream.ReadAsync(new byte[8], cancel.Token).AsTask();
        await gate.Arrived;
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.Within());
        Assert.Equal(0, stream.Position);
        gate.Open();
    }

    [Theory]
    [Trait("Row", "J4")]
    [InlineData(true)]
    [InlineData(false)]
    public void Closing_the_stream_closes_the_file_if_so_agreed(bool leaveOpen)
    {
        using var cache = new TestCache();
        var file = Open(cache);
        var stream = file.OpenStream(leaveOpen);
        stream.Dispose();
        stream.Dispose();
        Assert.Equal(!leaveOpen, file.IsClosed);
        Assert.False(stream.CanRead);
        Assert.False(stream.CanSeek);
        Assert.Throws<ObjectDisposedException>(() => stream.Length);
        Assert.Throws<ObjectDisposedException>(() => stream.Position);
        Assert.Throws<ObjectDisposedException>(() => stream.Read(new byte[1]));
        Assert.Throws<ObjectDisposedException>(() => stream.Seek(0, SeekOrigin.Begin));
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Contract", "C11")]
    public void Errors_pass_through_and_the_position_stays()
    {
        using var cache = new TestCache();
        cache.Device.Break(1);
        using var stream = Open(cache).OpenStream();
        stream.Position = 4096;
        Assert.Throws<PageLoadException>(() => stream.ReadByte());
        Assert.Equal(4096, stream.Position);
        cache.Device.Heal();
        Assert.Equal(cache.Device.Bytes[4096], stream.ReadByte());
    }

    private static MappedFile Open(TestCache cache) => cache.Open(new ListExtents(new Extent(0, 17 * 4096, 0)), Length);
}
