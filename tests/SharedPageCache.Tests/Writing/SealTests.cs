using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Writing;

/// <summary>Files that cannot be written, for want of an engine that writes or by a seal: each way to change one is refused, and nothing has changed.</summary>
public class SealTests
{
    private const int Page = 4096;
    private const int Length = 4 * Page + 100;

    private static readonly Dictionary<string, Func<MappedFile, MappedFile, Task>> Writes = new()
    {
        ["Write"] = Now((file, _) => file.Write(10, new byte[100])),
        ["Write (whole page)"] = Now((file, _) => file.Write(Page, new byte[Page])),
        ["Write (longer)"] = Now((file, _) => file.Write(Length + 5, new byte[100])),
        ["WriteAsync"] = (file, _) => file.WriteAsync(3 * Page, new byte[Page + 1]).AsTask(),
        ["TryLeaseForWrite"] = Now((file, _) => file.TryLeaseForWrite(0, out var _)),
        ["LeaseForWriteAsync"] = (file, _) => file.LeaseForWriteAsync(Page, discardContent: true).AsTask(),
        ["SetLength (shorter)"] = Now((file, _) => file.SetLength(10)),
        ["SetLength (longer)"] = Now((file, _) => file.SetLength(10 * Page)),
        ["SetLengthAsync"] = (file, _) => file.SetLengthAsync(0).AsTask(),
        ["PunchHole"] = Now((file, _) => file.PunchHole(0, 2 * Page)),
        ["PunchHoleAsync"] = (file, _) => file.PunchHoleAsync(10, 20).AsTask(),
        ["ZeroRange"] = Now((file, _) => file.ZeroRange(Page, 20 * Page)),
        ["ZeroRangeAsync"] = (file, _) => file.ZeroRangeAsync(0, Page).AsTask(),
        ["CloneRange"] = Now((file, other) => file.CloneRange(other, 0, Page, 2 * Page)),
        ["CloneRangeAsync"] = (file, other) => file.CloneRangeAsync(other, 3, 5, 2000).AsTask(),
        ["CloneRange (inside)"] = Now((file, _) => file.CloneRange(file, 0, 2 * Page, Page)),
        ["Dedupe"] = Now((file, other) => file.Dedupe(other, 0, 0, 2 * Page)),
        ["DedupeAsync"] = (file, other) => file.DedupeAsync(other, 0, Page, Page).AsTask(),
        ["MergeInto"] = Now((file, other) => other.MergeInto(file)),
        ["MergeIntoAsync"] = (file, other) => other.MergeIntoAsync(file).AsTask(),
        ["WriteAroundAsync"] = (file, _) => file.WriteAroundAsync(Page, new byte[Page]).AsTask(),
        ["Stream.Write"] = Now((file, _) => file.OpenStream().Write(new byte[10], 0, 10)),
        ["Stream.WriteAsync"] = (file, _) => file.OpenStream().WriteAsync(new byte[10], 0, 10),
        ["Stream.SetLength"] = Now((file, _) => file.OpenStream().SetLength(0)),
    };

    public static TheoryData<string, string> EachWrite()
    {
        var data = new TheoryData<string, string>();
        foreach (var way in Writes.Keys)
        {
            foreach (var why in new[] { "sealed", "sealed while dirty", "no port", "no hooks" })
            {
                data.Add(way, why);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(EachWrite))]
    public async Task Each_way_to_change_a_file_that_cannot_be_written_is_refused_and_changes_nothing(string way, string why)
    {
        // So large that nothing is written in the background.
        using var cache = new WriteCache(frames: 256);
        using var plain = why == "no port" ? cache.Cache.AttachVolume(new MemoryDevice(1 << 20, Page).Stamp()) : null;
        var options = new FileOpenOptions { Name = "golden.img" };
        using var file = why switch
        {
            "no port" => plain!.OpenFile(new PageEngine(64, Page).Create(Length), Length, options),
            "no hooks" => cache.Volume.OpenFile(new ExtentList([new Extent(0, 5 * Page, 0)]), Length, options),
            _ => cache.Volume.OpenFile(cache.Engine.CreateMapped(5), Length, options),
        };
        var isSealed = why.StartsWith("sealed", StringComparison.Ordinal);
        if (why == "sealed while dirty")
        {
            file.Write(0, WriteTests.Bytes(1, Length));
        }

        using var other = isSealed ? file.Clone() : plain is null ? cache.OpenMapped(5) : plain.OpenFile(new PageEngine(64, Page).Create(Length), Length);
        if (isSealed)
        {
            file.Seal();
            other.Write(Page, WriteTests.Bytes(2, Page));
        }

        var (before, dirty, published) = (WriteTests.Read(file, 0, Length), cache.Figures.DirtyBytes, cache.Engine.Published.Count);
        Assert.Equal((false, isSealed), (file.CanWrite, file.IsSealed));
        Assert.False(file.OpenStream().CanWrite);

        var error = await Assert.ThrowsAsync<NotSupportedException>(() => Writes[way](file, other));

        Assert.Contains("golden.img", error.Message);
        Assert.Contains(isSealed ? "is sealed" : "cannot be written", error.Message);
        Assert.Equal((Length, dirty, published), (file.Length, cache.Figures.DirtyBytes, cache.Engine.Published.Count));
        Assert.Equal(before, WriteTests.Read(file, 0, 2 * Length));
        cache.Cache.Verify();
    }

    [Fact]
    [Trait("Contract", "C6")]
    public async Task What_is_dirty_in_a_sealed_file_is_written_back_and_its_clones_can_be_written()
    {
        using var cache = new WriteCache(frames: 256);
        var file = cache.OpenMapped(4);
        file.Write(100, WriteTests.Bytes(1, 2 * Page));
        var bytes = WriteTests.Read(file, 0, 4 * Page);
        file.Seal();
        file.Seal();
        Assert.Equal((0, 0), (cache.Device.Writes, cache.Engine.Published.Count));

        using var clone = file.Clone();
        Assert.Equal((true, false), (clone.CanWrite, clone.IsSealed));
        clone.Write(0, WriteTests.Bytes(2, 3 * Page));
        clone.CloneRange(file, 0, 3 * Page, Page);
        await file.OpenStream().FlushAsync();
        Assert.Equal(bytes, cache.DurableOf(file));
        await cache.Volume.FlushAsync();
        Assert.Equal(0, cache.Figures.DirtyBytes);
        Assert.Equal(bytes, WriteTests.Read(file, 0, 5 * Page));
        Assert.Equal(bytes[..Page], WriteTests.Read(clone, 3 * Page, 2 * Page));

        // A branch that is ready is merged as any other, and keeps what it shows.
        using var trunk = clone.Clone();
        clone.Dispose();
        using var branch = trunk.Clone();
        branch.Write(0, WriteTests.Bytes(3, Page));
        branch.Seal();
        branch.MergeInto(trunk);
        trunk.Write(10, WriteTests.Bytes(4, 10));
        Assert.Equal(WriteTests.Bytes(3, Page), WriteTests.Read(branch, 0, Page));
        Assert.Equal(WriteTests.Bytes(4, 10), WriteTests.Read(trunk, 10, 10));
        Assert.Equal(WriteTests.Bytes(3, Page)[20..], WriteTests.Read(trunk, 20, Page - 20));
    }

    [Fact]
    public void A_snapshot_is_sealed_from_the_start_and_for_all_handles()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        file.Write(0, WriteTests.Bytes(1, Page));
        var options = new FileOpenOptions { Id = FileId.FromNumber(7), IsSealed = true };
        using var snapshot = file.Clone(options);
        using var again = cache.Volume.OpenFile(snapshot.Extents, 2 * Page, new FileOpenOptions { Id = FileId.FromNumber(7) });
        Assert.True(snapshot.IsSealed && again.IsSealed);
        Assert.Throws<NotSupportedException>(() => again.Write(0, [1]));

        // Opened as sealed by one, it is so for those who opened it before.
        using var first = cache.Volume.OpenFile(cache.Engine.Create(Page), Page, new FileOpenOptions { Id = FileId.FromNumber(8) });
        first.Write(0, [1]);
        using var second = cache.Volume.OpenFile(first.Extents, Page, new FileOpenOptions { Id = FileId.FromNumber(8), IsSealed = true });
        Assert.True(first.IsSealed);
        Assert.Throws<NotSupportedException>(() => first.Write(0, [1]));
    }

    [Fact]
    public async Task The_seal_goes_with_the_file_and_a_sealed_file_can_be_deleted()
    {
        using var cache = new WriteCache();
        var options = new FileOpenOptions { Id = FileId.FromNumber(5) };
        var extents = cache.Engine.Create(2 * Page);
        var file = cache.Volume.OpenFile(extents, 2 * Page, options);
        file.Write(0, WriteTests.Bytes(1, Page));
        file.Seal();
        file.Dispose();

        // It has dirty pages, so it is the same file still.
        file = cache.Volume.OpenFile(extents, 2 * Page, options);
        Assert.True(file.IsSealed);
        await file.DisposeAsync();
        file = cache.Volume.OpenFile(extents, 2 * Page, options);
        Assert.False(file.IsSealed);
        file.Write(Page, WriteTests.Bytes(2, Page));
        file.Seal();
        file.Delete();
        Assert.Throws<ObjectDisposedException>(file.Seal);
        Assert.True(extents.IsDeleted);
        Assert.Equal(0, cache.Figures.DirtyBytes);
    }

    [Fact]
    [Trait("Row", "H4")]
    public async Task A_page_that_was_leased_for_writing_before_is_not_committed_after()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        var before = WriteTests.Read(file, 0, 2 * Page);
        using (var lease = await file.LeaseForWriteAsync(Page))
        {
            lease.Span.Fill(7);
            file.Seal();
            Assert.Throws<NotSupportedException>(() => lease.Commit());
            await Assert.ThrowsAsync<NotSupportedException>(() => lease.CommitAsync().AsTask());
            Assert.Equal(7, lease.Span[0]);
        }

        Assert.Equal(before, WriteTests.Read(file, 0, 2 * Page));
        Assert.Equal(0, cache.Figures.DirtyBytes);
    }

    public static TheoryData<string> WaitingWrites => new("write", "whole page", "around", "grow", "write behind the end", "range", "hole");

    [Theory]
    [MemberData(nameof(WaitingWrites))]
    public async Task What_waits_for_engine_or_device_when_the_file_is_sealed_is_refused_as_a_whole(string kind)
    {
        using var cache = new WriteCache();
        var file = cache.Own(cache.Volume.OpenFile(cache.Engine.CreateMapped(4), Length - Page));
        var other = cache.OpenMapped(4);
        var before = WriteTests.Read(file, 0, Length);
        if (kind is "write" or "whole page" or "hole")
        {
            // Shared, so the engine is asked before it is copied.
            cache.Own(file.Clone());
        }

        cache.Engine.Before = member =>
        {
            if (member == "BeforeUnshare")
            {
                file.Seal();
            }
        };
        cache.Device.BeforeRead = _ => SealAsync();
        cache.Engine.DuringPlace = SealAsync;
        Func<Task> write = kind switch
        {
            "write" => () => file.WriteAsync(100, WriteTests.Bytes(1, 2 * Page)).AsTask(),
            "whole page" => () => file.WriteAsync(0, WriteTests.Bytes(1, 2 * Page)).AsTask(),
            "around" => () => file.WriteAroundAsync(0, WriteTests.Bytes(1, 2 * Page)).AsTask(),
            "grow" => () => file.SetLengthAsync(9 * Page).AsTask(),
            "write behind the end" => () => file.WriteAsync(7 * Page, WriteTests.Bytes(1, 100)).AsTask(),
            "range" => () => file.CloneRangeAsync(other, 5, 9, 2 * Page).AsTask(),
            _ => () => file.PunchHoleAsync(10, 100).AsTask(),
        };

        await Assert.ThrowsAsync<NotSupportedException>(() => Bounded.Within(write()));

        Assert.True(file.IsSealed);
        cache.Engine.DuringPlace = null;
        cache.Device.BeforeRead = null;
        cache.Engine.Before = null;
        Assert.Equal(before, WriteTests.Read(file, 0, Length));
        await cache.Volume.FlushAsync();
        Assert.Equal(before, cache.DurableOf(file)[..before.Length]);

        Task SealAsync()
        {
            file.Seal();
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Nothing_changes_after_a_seal_whoever_writes_and_what_was_written_before_is_there()
    {
        const int Writers = 4;
        for (var round = 0; round < 20; round++)
        {
            using var cache = new WriteCache();
            var file = cache.OpenNew(Writers * 2 * Page);
            var acknowledged = new int[Writers];
            var writers = Enumerable.Range(0, Writers).Select(writer => Task.Run(() =>
            {
                for (var i = 1; ; i++)
                {
                    try
                    {
                        // Two pages: whole or not at all.
                        file.Write(writer * 2 * Page, Enumerable.Repeat((byte)i, 2 * Page).ToArray());
                    }
                    catch (NotSupportedException)
                    {
                        return;
                    }

                    Volatile.Write(ref acknowledged[writer], i);
                }
            })).ToArray();
            Bounded.Until(() => acknowledged.Sum() > round * 10, "writers write");
            file.Seal();
            var before = WriteTests.Read(file, 0, Writers * 2 * Page);
            await Bounded.Within(Task.WhenAll(writers));
            Assert.Equal(before, WriteTests.Read(file, 0, Writers * 2 * Page));
            for (var writer = 0; writer < Writers; writer++)
            {
                var shown = before[writer * 2 * Page];
                Assert.True(before.AsSpan(writer * 2 * Page, 2 * Page).IndexOfAnyExcept(shown) < 0, "half of a write is there");
                Assert.Equal((byte)acknowledged[writer], shown);
            }

            await file.FlushAsync();
            Assert.Equal(before, cache.DurableOf(file));
        }
    }

    private static Func<MappedFile, MappedFile, Task> Now(Action<MappedFile, MappedFile> act) => (file, other) =>
    {
        act(file, other);
        return Task.CompletedTask;
    };
}
