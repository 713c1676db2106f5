using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Writing;

/// <summary>A file that can be written as a stream: what a user of streams expects of Flush and of the end.</summary>
public class WrittenStreamTests
{
    private const int Page = 4096;

    [Theory]
    [Trait("Row", "J4")]
    [Trait("Contract", "C6")]
    [InlineData("Flush")]
    [InlineData("FlushAsync")]
    [InlineData("the flush of a writer")]
    [InlineData("DisposeAsync")]
    public async Task What_was_written_is_durable_when_the_stream_was_flushed(string how)
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(0);
        var other = cache.OpenNew(0);
        other.Write(0, WriteTests.Bytes(9, Page));
        var stream = file.OpenStream(leaveOpen: how != "DisposeAsync");
        var expected = System.Text.Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("a line of text\n", 1000)));
        if (how == "the flush of a writer")
        {
            await using var writer = new StreamWriter(stream, leaveOpen: true);
            for (var i = 0; i < 1000; i++)
            {
                await writer.WriteAsync("a line of text\n");
            }

            await writer.FlushAsync();
        }
        else
        {
            await stream.WriteAsync(expected);
            Assert.Equal(0, cache.Engine.Persists);
        }

        switch (how)
        {
            case "Flush":
                stream.Flush();
                break;
            case "FlushAsync":
                await stream.FlushAsync();
                break;
            case "DisposeAsync":
                await stream.DisposeAsync();
                await stream.DisposeAsync();
                Assert.True(file.IsClosed);
                break;
        }

        Assert.Equal(expected, cache.DurableOf(file));
        Assert.Equal(Page, cache.Figures.DirtyBytes);
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Contract", "C7")]
    public async Task A_flush_that_fails_says_so_and_may_be_repeated()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(0);
        using var stream = file.OpenStream();
        stream.Write(WriteTests.Bytes(1, Page));
        cache.Device.BeforeWrite = static _ => throw new IOException("broken.");
        Assert.Throws<CacheWritebackException>(stream.Flush);
        await Assert.ThrowsAsync<CacheWritebackException>(() => stream.FlushAsync());
        cache.Device.BeforeWrite = null;
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream.FlushAsync(cancelled.Token));
        stream.Flush();
        Assert.Equal(WriteTests.Bytes(1, Page), cache.DurableOf(file));
        stream.Dispose();
        Assert.Throws<ObjectDisposedException>(stream.Flush);
        Assert.False(file.IsClosed);
    }
}
