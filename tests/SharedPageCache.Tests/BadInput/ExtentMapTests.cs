using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.BadInput;

/// <summary>Extents that cannot be right, and engines that fail: refused with the numbers, nothing used, nothing kept.</summary>
public class ExtentMapTests
{
    private const long DeviceLength = 4 << 20;
    private const int Length = 16 * 4096;

    public static TheoryData<string, long, long, long> Faults => new()
    {
        { "negative file offset", -4096, 8192, 0 },
        { "empty", 0, 0, 0 },
        { "negative length", 0, -4096, 0 },
        { "smallest length", 0, long.MinValue, 0 },
        { "overflow in the file", long.MaxValue - 4095, 8192, 0 },
        { "unaligned file offset", 100, 4096, 0 },
        { "unaligned length", 0, 5000, 0 },
        { "unaligned physical offset", 0, 4096, 77 },
        { "negative physical offset", 0, 4096, -4096 },
        { "overflow on the device", 0, 8192, long.MaxValue - 4095 },
        { "beyond the device", 0, 8192, DeviceLength - 4096 },
        { "far beyond the device", 0, 4096, 1L << 60 },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_wrong_extent_is_refused_with_its_numbers(string fault, long fileOffset, long length, long physical)
    {
        using var cache = new TestCache();
        var good = new Extent(0, Length, 0);
        var extents = new ListExtents(new Extent(fileOffset, length, physical));
        var file = cache.Open(extents, Length, new FileOpenOptions { Name = "bad.img", Id = FileId.FromNumber(4) });
        var buffer = Canary.Buffer(Length);
        ExtentMapException error = Assert.Throws<ExtentMapException>(() => file.Read(0, buffer));
        await Assert.ThrowsAsync<ExtentMapException>(async () => await file.ReadAsync(0, buffer));
        await Assert.ThrowsAsync<ExtentMapException>(async () => await file.PinAsync(0));
        await Assert.ThrowsAsync<ExtentMapException>(async () => await file.PrefetchAsync(0, Length));
        Assert.Equal((file.Id, "bad.img", 0, (long)Length), (error.File, error.FileName, error.Offset, error.Length));
        Assert.Contains("bad.img", error.Message);
        Assert.Contains(fault.Contains("physical") ? $"{physical}" : fault.Contains("device") ? "device" : $"{fileOffset}", error.Message);
        Canary.AssertUntouched(buffer);
        Assert.Empty(cache.Device.Requests);
        Assert.Equal((0, 0), (cache.ResidentPages, cache.Figures.Leaves));

        // A mended engine is asked again.
        extents.Replace(good);
        Files.AssertSame(cache.Device.Copy(0, Length), file.ReadAll());
    }

    [Theory]
    [InlineData(8192, 4096, 4096, 4096)]
    [InlineData(0, 8192, 4096, 4096)]
    [InlineData(0, 4096, 0, 4096)]
    [InlineData(0, 16384, 4096, 4096)]
    public void Extents_out_of_order_or_overlapping_are_refused(long first, long firstLength, long second, long secondLength)
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(first, firstLength, 0), new Extent(second, secondLength, 65536)), Length);
        var error = Assert.Throws<ExtentMapException>(() => file.ReadWord(0));
        Assert.Contains($"{second}", error.Message);
        Assert.Contains($"{first + firstLength}", error.Message);
        Assert.Contains("ascend without overlap", error.Message);
        Assert.Equal(0, cache.ResidentPages);
    }

    [Fact]
    public void An_engine_that_throws_is_reported_with_its_exception_and_asked_again()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length, new FileOpenOptions { Name = "x" });
        Exception[] errors = [new IOException("inode lost"), new InvalidOperationException("no"), new OperationCanceledException()];
        foreach (var thrown in errors)
        {
            extents.BeforeAnswer = () => throw thrown;
            var error = Assert.Throws<ExtentMapException>(() => file.ReadWord(0));
            Assert.Same(thrown, error.InnerException);
            Assert.Contains(thrown.Message, error.Message);
            Assert.Contains(thrown.GetType().Name, error.Message);
            extents.BeforeAnswer = () => Task.FromException(thrown);
            Assert.Same(thrown, Assert.Throws<ExtentMapException>(() => file.ReadWord(0)).InnerException);
        }

        extents.BeforeAnswer = null;
        Files.AssertSame(cache.Device.Copy(0, Length), file.ReadAll());
    }

    [Fact]
    public void An_engine_that_fails_for_one_window_serves_the_others()
    {
        const long Window = 512 * 4096;
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, 4096, 0), new Extent(Window, 5000, 0));
        var file = cache.Open(extents, 2 * Window);
        Assert.Equal(MemoryDevice.Word(0), file.ReadWord(0));
        Assert.Equal(Window, Assert.Throws<ExtentMapException>(() => file.ReadWord(Window + 8192)).Offset);
        Assert.Equal(MemoryDevice.Word(0), file.ReadWord(0));
    }

    [Fact]
    public void Extents_that_never_stand_still_fail_in_the_end()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        extents.BeforeAnswer = () =>
        {
            extents.Replace(new Extent(0, Length, 0));
            return Task.CompletedTask;
        };
        var file = cache.Open(extents, Length);
        Assert.Contains("changed 64 times", Assert.Throws<ExtentMapException>(() => file.ReadWord(0)).Message);
        Assert.Equal(64, extents.Asked);
        extents.BeforeAnswer = null;
        Assert.Equal(MemoryDevice.Word(0), file.ReadWord(0));
    }

    [Fact]
    public void An_engine_that_cannot_tell_its_sequence_leaks_nothing()
    {
        using var cache = new TestCache(frames: 8);
        var extents = new MoodyExtents();
        var file = cache.Open(extents, Length);
        for (var i = 0; i < 200; i++)
        {
            extents.Mood = i;
            try
            {
                file.ReadAt(i % 16 * 4096, 4096);
            }
            catch (Exception error) when (error is IOException or InvalidOperationException)
            {
            }
        }

        extents.Mood = -1;
        Files.AssertSame(cache.Device.Copy(0, Length), file.ReadAll());
    }

    [Fact]
    public void An_extent_may_reach_over_both_ends_of_what_was_asked()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, DeviceLength, 0)), Length + 100);
        Files.AssertSame(cache.Device.Copy(0, Length + 100), file.ReadAll());
    }

    /// <summary>Throws from its sequence now and then.</summary>
    private sealed class MoodyExtents : IExtentMap
    {
        private int _asked;

        public int Mood { get; set; } = -1;

        public long Sequence => Mood >= 0 && _asked++ % (Mood % 7 + 2) == 0 ? throw new InvalidOperationException("moody") : 0;

        public ValueTask GetExtentsAsync(
            long offset, long length, System.Buffers.IBufferWriter<Extent> destination, CancellationToken cancellationToken)
        {
            System.Buffers.BuffersExtensions.Write(destination, [new Extent(0, Length, 0)]);
            return ValueTask.CompletedTask;
        }
    }
}
