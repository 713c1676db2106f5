using System.Runtime.CompilerServices;
using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>How a lease for writing ends when it is not simply committed: its file goes, it is given up, disposed twice, or forgotten.</summary>
public class WriteLeaseEndTests
{
    [Theory]
    [InlineData("close")]
    [InlineData("delete")]
    [InlineData("detach")]
    [InlineData("dispose")]
    [Trait("Row", "H4")]
    public async Task A_lease_outlives_its_file_but_is_not_committed_any_more(string end)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        var lease = await file.LeaseForWriteAsync(0);
        lease.Span.Fill(3);
        switch (end)
        {
            case "close":
                file.Dispose();
                break;
            case "delete":
                file.Delete();
                break;
            case "detach":
                cache.Volume.Dispose();
                break;
            default:
                cache.Cache.Dispose();
                break;
        }

        Assert.Throws<ObjectDisposedException>(() => lease.Commit());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await lease.CommitAsync());
        Assert.Equal(3, lease.Span[^1]);
        Assert.Equal(0, cache.Figures.DirtyBytes);
        lease.Dispose();
        Assert.Equal(0, cache.Figures.LeasedFrames);
    }

    [Fact]
    [Trait("Row", "H4")]
    [Trait("Row", "H5")]
    public async Task A_lease_that_has_ended_says_so()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        var lease = await file.LeaseForWriteAsync(0);
        lease.Commit();
        Assert.Throws<InvalidOperationException>(() => lease.Commit());
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await lease.CommitAsync());
        Assert.Throws<InvalidOperationException>(() => lease.Memory);
        lease.Dispose();
        Assert.True(lease.IsCommitted);
        var abandoned = await file.LeaseForWriteAsync(0);
        abandoned.Dispose();
        abandoned.Dispose();
        Assert.Throws<ObjectDisposedException>(() => abandoned.Commit());
        Assert.Throws<ObjectDisposedException>(() => abandoned.Memory);
        Assert.Equal(0, cache.Figures.LeasedFrames);
    }

    [Fact]
    [Trait("Row", "H5")]
    public void A_leaked_lease_is_counted_and_lets_others_write()
    {
        using var cache = new WriteCache(frames: 8);
        var file = cache.OpenMapped(2);
        Leak(file);
        Bounded.Until(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return cache.Figures.LeakedLeases == 1;
            },
            "the leak was seen");
        Bounded.Until(() => cache.Figures.LeasedFrames == 0, "the frame was given back");
        file.Write(0, Bytes(1, 10));
        Assert.Equal(Bytes(1, 10), Read(file, 0, 10));
    }

    [Fact]
    [Trait("Row", "H4")]
    public async Task A_lease_that_is_disposed_while_it_is_committed_ends_once()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        using var clone = file.Clone();
        var lease = await file.LeaseForWriteAsync(0);
        cache.Engine.Before = call =>
        {
            if (call == "BeforeUnshare")
            {
                Assert.Throws<InvalidOperationException>(() => lease.Commit());
                lease.Dispose();
                throw new IOException("no.");
            }
        };
        Assert.Throws<IOException>(() => lease.Commit());
        cache.Engine.Before = null;
        Assert.Throws<ObjectDisposedException>(() => lease.Commit());
        Assert.Equal(0, cache.Figures.LeasedFrames);
        file.Write(0, Bytes(1, 10));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Leak(MappedFile file)
    {
        file.LeaseForWriteAsync(0).AsTask().GetAwaiter().GetResult().Span.Fill(1);
    }
}
