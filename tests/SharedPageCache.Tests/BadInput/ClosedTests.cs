using SharedPageCache.Tests.Support;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Tests.BadInput;

/// <summary>Use after close, detach and dispose: the documented exception, never somebody's bytes, no harm to others.</summary>
public class ClosedTests
{
    private const int Length = 16 * 4096;

    public static TheoryData<string> Ends => ["close", "detach", "dispose"];

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task Every_member_of_a_file_refuses_after_the_end(string end)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var stream = file.OpenStream();
        var pipe = file.OpenPipeReader();
        file.ReadAll();
        End(end, cache, file);
        var buffer = Canary.Buffer(100);
        Action[] calls =
        [
            () => file.Read(0, buffer), () => file.TryRead(0, buffer, out _), () => file.TryPin(0, out _), () => file.Clone(),
            () => file.InvalidateExtents(0, 1), () => file.GetReport(), () => file.OpenStream(), () => file.OpenPipeReader(),
            () => stream.ReadByte(),
        ];
        Assert.All(calls, call => Assert.Throws<ObjectDisposedException>(call));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await file.ReadAsync(0, buffer));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await file.PinAsync(0));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await file.PinRangeAsync(0, 1));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await file.PrefetchAsync(0, 1));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await file.CloneAsync());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await pipe.ReadAsync());
        Canary.AssertUntouched(buffer);
        file.Dispose();
        await file.DisposeAsync();
        Assert.Equal(Length, file.Length);
    }

    [Theory]
    [InlineData("close")]
    [InlineData("delete")]
    [InlineData("detach")]
    public void Every_member_that_writes_refuses_after_the_end(string end)
    {
        using var cache = new WriteCache();
        var (file, other) = (cache.OpenMapped(4), cache.OpenMapped(4));
        var stream = file.OpenStream();
        if (end == "close")
        {
            file.Dispose();
        }
        else if (end == "delete")
        {
            file.Delete();
        }
        else
        {
            cache.Volume.Dispose();
        }

        Action[] calls =
        [
            () => file.Write(0, [1]), () => file.SetLength(1), () => file.PunchHole(0, 1), () => file.ZeroRange(0, 1), () => file.Delete(),
            file.Seal, () => file.TryLeaseForWrite(0, out _), () => file.CloneRange(other, 0, 0, 1), () => file.Dedupe(other, 0, 0, 4096),
            () => file.MergeInto(other), () => file.DiffPages(other), () => stream.WriteByte(1), () => stream.SetLength(0),
            () => file.WriteAsync(0, new byte[1]).AsTask().GetAwaiter().GetResult(),
            () => file.SetLengthAsync(1).AsTask().GetAwaiter().GetResult(),
            () => file.LeaseForWriteAsync(0).AsTask().GetAwaiter().GetResult(),
            () => file.WriteAroundAsync(0, new byte[4096]).AsTask().GetAwaiter().GetResult(),
            () => file.FlushAsync().AsTask().GetAwaiter().GetResult(),
        ];
        Assert.All(calls, call => Assert.Throws<ObjectDisposedException>(call));
        Assert.Equal(0, cache.Device.Writes);
    }

    [Theory]
    [InlineData("detach")]
    [InlineData("dispose")]
    public void Every_member_of_a_volume_refuses_after_the_end(string end)
    {
        using var cache = new TestCache();
        var run = new BlockRun(0, 4096);
        cache.OpenRun(0, Length).ReadAll();
        End(end, cache, file: null);
        Assert.Throws<ObjectDisposedException>(() => cache.OpenRun(0, Length));
        Assert.Throws<ObjectDisposedException>(() => cache.Volume.Discard(run));
        Assert.Throws<ObjectDisposedException>(() => cache.Volume.Relocate(run, new BlockRun(8192, 4096)));
        Assert.Throws<ObjectDisposedException>(() => cache.Volume.FindReferences(run));
        cache.Volume.Dispose();
        Assert.Equal(0, cache.ResidentPages);
    }

    [Fact]
    public async Task A_disposed_cache_attaches_nothing_and_still_answers_for_itself()
    {
        using var cache = new TestCache();
        cache.OpenRun(0, Length).ReadAll();
        cache.Cache.Dispose();
        cache.Cache.Dispose();
        await cache.Cache.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => cache.Cache.AttachVolume(new EndlessDevice()));
        Assert.Equal(0, cache.Figures.ResidentBytes);
        Assert.NotEmpty(cache.Cache.Dump());
        cache.Cache.Verify();
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_read_under_way_ends_with_bytes_or_the_documented_exception(string end)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var gate = ReadGate.Before(cache.Device);
        var buffer = Canary.Buffer(8192);
        var reads = new[]
        {
            file.ReadAsync(0, buffer).AsTask(), Task.Run(() => file.Read(65000, new byte[8])), file.PinAsync(0).AsTask() as Task,
            file.PrefetchAsync(16384, 4096).AsTask(),
        };
        await gate.Arrived;
        Bounded.Until(() => gate.Waiting >= 2, "the reads are in the device");
        End(end, cache, file);
        gate.Open();
        foreach (var read in reads)
        {
            try
            {
                await read.Within();
                (read as Task<PageMemoryLease>)?.Result.Dispose();
            }
            catch (ObjectDisposedException)
            {
            }
        }

        if (!reads[0].IsCompletedSuccessfully)
        {
            // What was read before the end may stand in the buffer; nothing foreign may.
            var same = buffer.AsSpan().CommonPrefixLength(cache.Device.Copy(0, 8192));
            Canary.AssertNothingForeign(buffer.AsSpan(same / 4096 * 4096));
        }
    }

    [Fact]
    [Trait("Contract", "C10")]
    [Trait("Row", "A6")]
    public async Task A_load_of_a_detached_volume_never_reaches_the_volume_that_takes_its_place()
    {
        using var cache = new TestCache(blockSize: 512, volumeNumbers: 1);
        var gate = ReadGate.After(cache.Device);
        var file = cache.OpenRun(0, Length);
        var composite = cache.OpenRun(512, 8192);
        var reads = new[] { file.ReadAsync(4096, new byte[8]).AsTask(), composite.ReadAsync(4096, new byte[8]).AsTask() };
        await gate.Arrived;
        cache.Volume.Dispose();
        var other = new MemoryDevice(1 << 20).Stamp(version: 6);
        var next = cache.Own(cache.Cache.AttachVolume(other));
        var heir = cache.Own(next.OpenFile(new ListExtents(new Extent(0, Length, 0)), Length));
        var early = heir.ReadAsync(4096, new byte[8]).AsTask();
        gate.Open();
        Assert.Equal(8, await early.Within());
        foreach (var read in reads)
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(() => read.Within());
        }

        Files.AssertSame(other.Copy(0, Length), heir.ReadAll());
    }

    [Fact]
    public void Closing_one_file_leaves_its_relatives_alone()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        file.ReadAll();
        file.Dispose();
        Assert.True(clone.TryRead(0, new byte[Length], out _));
        Assert.Equal(Length, cache.Figures.LogicalBytes);
        using var other = cache.Cache.AttachVolume(new EndlessDevice());
        using var elsewhere = other.OpenFile(new EmptyHookExtents(Length), Length);
        elsewhere.ReadAll();
        cache.Volume.Dispose();
        Assert.True(elsewhere.TryRead(0, new byte[Length], out _));
        Assert.Throws<ObjectDisposedException>(() => clone.ReadWord(0));
    }

    [Fact]
    public void An_open_after_the_last_close_begins_anew()
    {
        using var cache = new TestCache();
        var id = new FileOpenOptions { Id = FileId.FromNumber(8) };
        cache.Open(new ListExtents(new Extent(0, Length, 0)), Length, id).Dispose();
        var again = cache.Open(new ListExtents(new Extent(0, 8192, 8192)), 8192, id);
        Assert.Equal(8192, again.Length);
        Assert.Equal(MemoryDevice.Word(8192), again.ReadWord(0));
    }

    private static void End(string end, TestCache cache, MappedFile? file)
    {
        switch (end)
        {
            case "close":
                file!.Dispose();
                break;
            case "detach":
                cache.Volume.Dispose();
                break;
            default:
                cache.Cache.Dispose();
                break;
        }
    }
}
