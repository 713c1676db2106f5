using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Invalidation;

/// <summary>An engine changes one file's extents: that file's views fall, those of others and the pages stay.</summary>
public class InvalidateExtentsTests
{
    private const int Length = 16 * 4096;
    private const int WindowBytes = 512 * 4096;

    [Fact]
    [Trait("Row", "F3")]
    [Trait("Row", "L4")]
    [Trait("Row", "L6")]
    public void A_file_whose_extents_changed_sees_the_new_ones_and_its_clone_the_old()
    {
        using var cache = new TestCache();
        var extents = new CloneableExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var clone = cache.Clone(file);
        file.ReadAll();
        extents.Replace(new Extent(0, 4096, 1 << 20), new Extent(8192, Length - 8192, 8192));
        file.InvalidateExtents(0, 8192);
        Assert.Equal(MemoryDevice.Word(1 << 20), file.ReadWord(0));
        Assert.Equal(0UL, file.ReadWord(4096));
        Assert.Equal(MemoryDevice.Word(8192), file.ReadWord(8192));
        Files.AssertSame(cache.Device.Copy(0, Length), clone.ReadAll());
        Assert.Equal(17, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "F3")]
    public void Windows_that_are_not_named_are_not_asked_for_again()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, 4096, 0), new Extent(WindowBytes, 4096, 4096), new Extent(2L * WindowBytes, 4096, 8192));
        var file = cache.Open(extents, (2L * WindowBytes) + 4096);
        file.ReadWord(0);
        file.ReadWord(WindowBytes);
        file.ReadWord(2L * WindowBytes);
        Assert.Equal(3, extents.Asked);
        file.InvalidateExtents(WindowBytes + 100, 1);
        Assert.True(file.IsResident(0));
        Assert.False(file.IsResident(WindowBytes));
        Assert.True(file.IsResident(2L * WindowBytes));
        file.ReadWord(WindowBytes);
        Assert.Equal(4, extents.Asked);
        Assert.Equal(3, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "F3")]
    [Trait("Row", "F5")]
    [Trait("Row", "L14")]
    public async Task A_fill_begun_before_does_not_enter_the_file_and_is_kept_for_the_others()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var stranger = cache.OpenRun(0, Length);
        var gate = ReadGate.After(cache.Device);
        var buffer = new byte[8];
        var mine = file.ReadAsync(4096, buffer).AsTask();
        var theirs = stranger.ReadAsync(4096, new byte[8]).AsTask();
        await gate.Arrived;
        extents.Replace(new Extent(0, Length, 1 << 20));
        file.InvalidateExtents(0, Length);
        cache.Device.AfterRead = null;
        gate.Open();
        await mine.Within();
        await theirs.Within();

        // The read began before; the cache looked again and gave what is true now.
        Assert.Equal(MemoryDevice.Word((1 << 20) + 4096), BitConverter.ToUInt64(buffer));
        Assert.Equal(MemoryDevice.Word((1 << 20) + 4096), file.ReadWord(4096));
        Assert.True(stranger.IsResident(4096));
        Assert.Equal(MemoryDevice.Word(4096), stranger.ReadWord(4096));
        Assert.Equal(2, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "F3")]
    public async Task A_punch_of_the_range_under_a_fill_reads_zero_afterwards()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var gate = ReadGate.After(cache.Device);
        var read = file.ReadAsync(4096, new byte[4096]).AsTask();
        await gate.Arrived;
        extents.Replace(new Extent(0, 4096, 0), new Extent(8192, Length - 8192, 8192));
        file.InvalidateExtents(4096, 4096);
        Assert.Equal(0UL, file.ReadWord(4096));
        gate.Open();
        await read.Within();
        Assert.Equal(0UL, file.ReadWord(4096));
    }

    [Fact]
    [Trait("Row", "F5")]
    [Trait("Row", "L14")]
    public async Task An_answer_that_was_overtaken_is_not_used()
    {
        using var cache = new TestCache();
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var engine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var extents = new SlowExtents(new Extent(0, Length, 0), arrived, engine.Task);
        var file = cache.Open(extents, Length);
        var read = file.ReadAsync(0, new byte[8]).AsTask();
        await arrived.Task.Within();

        // The engine has taken its answer but not given it: the extents change under it.
        extents.Replace(new Extent(0, Length, 1 << 20));
        engine.SetResult();
        await read.Within();
        Assert.Equal(MemoryDevice.Word(1 << 20), file.ReadWord(0));
        Assert.Equal(2, extents.Asked);
        Assert.DoesNotContain(cache.Device.Requests, request => request.Run.Offset == 0);
    }

    [Theory]
    [Trait("Row", "F5")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_answer_from_before_a_discard_or_an_invalidation_is_not_used(bool discard)
    {
        using var cache = new TestCache();
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var engine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var extents = new SlowExtents(new Extent(0, Length, 0), arrived, engine.Task) { KeepsSequence = true };
        var file = cache.Open(extents, Length);
        var read = file.ReadAsync(0, new byte[8]).AsTask();
        await arrived.Task.Within();

        // An engine without a sequence says by a call that its answers are void.
        extents.Replace(new Extent(0, Length, 1 << 20));
        if (discard)
        {
            cache.Volume.Discard(new BlockRun(0, Length));
        }
        else
        {
            file.InvalidateExtents(0, Length);
        }

        engine.SetResult();
        await read.Within();
        Assert.Equal(MemoryDevice.Word(1 << 20), file.ReadWord(0));
        Assert.Equal(2, extents.Asked);
    }

    [Fact]
    [Trait("Row", "F5")]
    [Trait("Row", "L14")]
    public async Task A_file_whose_sequence_moved_under_a_fill_asks_again()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var gate = ReadGate.After(cache.Device);
        var buffer = new byte[8];
        var read = file.ReadAsync(4096, buffer).AsTask();
        await gate.Arrived;

        // Before anything was called: the sequence alone says that the answer is old, so nothing is installed.
        extents.Replace(new Extent(0, Length, 1 << 20));
        file.InvalidateExtents(0, Length);
        cache.Device.AfterRead = null;
        gate.Open();
        await read.Within();
        Assert.Equal(MemoryDevice.Word((1 << 20) + 4096), BitConverter.ToUInt64(buffer));
    }

    [Fact]
    [Trait("Row", "F5")]
    public void A_stale_leaf_is_left_and_never_rewritten_under_a_stranger()
    {
        // Hazard A5b: a leaf shared by key must not change its mapping because one sharer's truth changed.
        using var cache = new TestCache();
        var moving = new ListExtents(new Extent(0, Length, 0));
        var mover = cache.Open(moving, Length);
        var stranger = cache.OpenRun(0, Length);
        mover.ReadAll();
        stranger.ReadAll();
        moving.Replace(new Extent(0, 4096, 1 << 20), new Extent(4096, Length - 4096, 4096));
        cache.Device.StampBlock(0, version: 1);
        cache.Volume.Discard(new BlockRun(0, 4096));
        Assert.Equal(MemoryDevice.Word(1 << 20), mover.ReadWord(0));
        Assert.Equal(MemoryDevice.Word(0, 1), stranger.ReadWord(0));
        Assert.NotSame(mover.Mapping.Tree.FindLeaf(0), stranger.Mapping.Tree.FindLeaf(0));
        Files.AssertSame(cache.Device.Copy(4096, Length - 4096), stranger.ReadAt(4096, Length));
    }

    [Fact]
    [Trait("Row", "F3")]
    [Trait("Row", "L4")]
    public void An_unmapped_window_under_a_shared_root_is_private_after_a_change()
    {
        // Hazard A5a: nothing was cached of the window, and still the two files must part.
        using var cache = new TestCache();
        var extents = new CloneableExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var clone = cache.Clone(file);
        extents.Replace();
        file.InvalidateExtents(0, Length);
        Assert.Equal(MemoryDevice.Word(4096), clone.ReadWord(4096));
        Assert.Equal(0UL, file.ReadWord(4096));
        Assert.Equal(MemoryDevice.Word(4096), clone.ReadWord(4096));
    }

    [Fact]
    [Trait("Row", "F3")]
    public void Invalidating_what_is_not_there_changes_nothing()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        file.InvalidateExtents(Length, long.MaxValue);
        file.InvalidateExtents(0, 0);
        file.InvalidateExtents(1L << 60, 100);
        Assert.True(file.IsResident(0));
        file.InvalidateExtents(0, long.MaxValue);
        Assert.False(file.IsResident(0));
        Files.AssertSame(cache.Device.Copy(0, Length), file.ReadAll());
        Assert.Equal(16, cache.Device.BlocksRead);
    }

    /// <summary>Takes its first answer at once and gives it late.</summary>
    private sealed class SlowExtents(Extent extent, TaskCompletionSource arrived, Task answer) : IExtentMap
    {
        private Extent _extent = extent;
        private long _sequence;

        public bool KeepsSequence { get; init; }

        public int Asked { get; private set; }

        public long Sequence => Interlocked.Read(ref _sequence);

        public void Replace(Extent extent)
        {
            _extent = extent;
            if (!KeepsSequence)
            {
                Interlocked.Increment(ref _sequence);
            }
        }

        public async ValueTask GetExtentsAsync(
            long offset, long length, System.Buffers.IBufferWriter<Extent> destination, CancellationToken cancellationToken)
        {
            var taken = _extent;
            Asked++;
            if (Asked == 1)
            {
                arrived.SetResult();
                await answer;
            }

            System.Buffers.BuffersExtensions.Write(destination, [taken]);
        }
    }
}
