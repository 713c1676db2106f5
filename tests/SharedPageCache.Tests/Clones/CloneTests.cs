using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Clones;

/// <summary>Clone is an operation of the cache: constant cost, one tree, any number and any depth.</summary>
public class CloneTests
{
    private const int Pages = 32;
    private const int Length = Pages * 4096;

    [Fact]
    [Trait("Row", "B1")]
    [Trait("Row", "B3")]
    [Trait("Row", "L27")]
    public void A_clone_shows_at_once_all_that_its_origin_has_in_memory()
    {
        using var cache = new TestCache();
        var extents = new CloneableExtents(new Extent(0, Length, 4096));
        var file = cache.Open(extents, Length);
        file.ReadAll();
        var clone = cache.Clone(file);
        var (reads, faults) = (cache.Device.Reads, cache.Figures.MinorFaults);
        Files.AssertSame(cache.Device.Copy(4096, Length), clone.ReadAll());
        Assert.Equal(reads, cache.Device.Reads);
        Assert.Equal(faults, cache.Figures.MinorFaults);
        Assert.Equal(1, extents.Asked);
        Assert.NotSame(file.Extents, clone.Extents);
    }

    [Fact]
    [Trait("Row", "B1")]
    [Trait("Row", "L30")]
    public void What_a_clone_reads_is_in_memory_of_its_origin()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        clone.ReadAll();
        Assert.All(Enumerable.Range(0, Pages), page => Assert.True(file.IsResident(page * 4096)));
        Assert.Equal(Pages, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "B2")]
    [Trait("Row", "L24")]
    public void A_clone_does_no_io_and_asks_no_extents()
    {
        using var cache = new TestCache();
        var extents = new CloneableExtents(new Extent(0, Length, 0)) { BeforeAnswer = () => throw new InvalidOperationException() };
        var file = cache.Open(extents, Length);
        cache.Device.BeforeRead = _ => throw new InvalidOperationException();
        cache.Clone(cache.Clone(file));
        Assert.Equal(0, extents.Asked);
        Assert.Empty(cache.Device.Requests);
    }

    [Fact]
    [Trait("Row", "B2")]
    public async Task A_clone_waits_for_no_load_of_its_origin()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var gate = ReadGate.Before(cache.Device);
        var read = file.ReadAsync(0, new byte[8]).AsTask();
        var clone = cache.Clone(file);
        Assert.False(read.IsCompleted);
        Assert.Equal(Length, clone.Length);
        gate.Open();
        await read.Within();
    }

    [Theory]
    [Trait("Row", "B2")]
    [Trait("Row", "B12")]
    [InlineData(1L << 20)]
    [InlineData(1L << 40)]
    [Trait("Row", "L35")]
    public void A_clone_books_the_same_few_bytes_whatever_the_size(long length)
    {
        using var cache = new TestCache();
        using var volume = cache.Cache.AttachVolume(new EndlessDevice());
        using var file = volume.OpenFile(new EmptyHookExtents(length), length);
        for (var step = 0; step < 16; step++)
        {
            file.ReadWord(length / 16 * step);
        }

        var before = cache.Figures;
        using var clone = file.Clone();
        Assert.InRange(cache.Figures.MetadataBytes - before.MetadataBytes, 1, 512);
        Assert.Equal(before.Leaves, cache.Figures.Leaves);
    }

    [Fact]
    [Trait("Row", "L35")]
    [Trait("Row", "B3")]
    [Trait("Row", "C4")]
    [Trait("Row", "L8")]
    [Trait("Row", "L10")]
    [Trait("Row", "L18")]
    public void Sharers_are_counted_on_the_leaf_and_not_on_each_page()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        var (leaves, rmap) = (cache.Figures.Leaves, cache.Cache.Engine.Rooms.Rmap);
        var clones = Enumerable.Range(0, 1000).Select(_ => cache.Clone(file)).ToArray();
        var stranger = cache.OpenRun(0, Length);
        foreach (var clone in clones)
        {
            clone.ReadAll();
        }

        stranger.ReadAll();
        Assert.Equal(leaves, cache.Figures.Leaves);
        for (var page = 0; page < Pages; page++)
        {
            Assert.Equal(1, rmap.Count(file.FrameAt(page * 4096).Value));
        }

        Assert.Equal(1001L * Length, cache.Figures.SavedBytes);
    }

    [Fact]
    [Trait("Row", "B12")]
    [Trait("Row", "L10")]
    [Trait("Row", "L11")]
    public void Ten_thousand_clones_of_one_file_show_one_leaf_and_one_frame_a_page()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        var before = cache.Figures.MetadataBytes;
        var clones = Enumerable.Range(0, 10_000).Select(_ => cache.Clone(file)).ToArray();
        var frame = file.FrameAt(4096);
        foreach (var clone in clones)
        {
            Assert.Equal(MemoryDevice.Word(4096), clone.ReadWord(4096));
            Assert.Equal(frame, clone.FrameAt(4096));
        }

        Assert.InRange((cache.Figures.MetadataBytes - before) / clones.Length, 0, 512);
        Assert.Equal(Pages, cache.ResidentPages);
        Assert.Equal(1, cache.Figures.Leaves);
        Assert.Equal(10_000L * 4096, cache.Figures.SavedBytes);
        Assert.Equal(10_001, cache.Figures.OpenFiles);
        Assert.Equal(10_001, cache.Volume.FindReferences(new BlockRun(4096, 4096)).Count());

        // One eviction shoots the page down in all of them.
        cache.EvictAll();
        Assert.All(clones, clone => Assert.False(clone.TryRead(4096, new byte[1], out _)));
        Assert.Equal(0, cache.Figures.SavedBytes);
    }

    [Fact]
    [Trait("Row", "B12")]
    [Trait("Row", "L11")]
    public void A_chain_of_a_thousand_clones_is_as_flat_as_one()
    {
        using var cache = new TestCache();
        var file = cache.Open(new CloneableExtents(new Extent(0, Length, 0)), Length);
        file.ReadWord(0);
        var chain = new List<MappedFile> { file };
        for (var depth = 0; depth < 1000; depth++)
        {
            chain.Add(cache.Clone(chain[^1]));
        }

        Files.AssertSame(cache.Device.Copy(0, Length), chain[^1].ReadAll());
        Assert.All(chain, link => Assert.True(link.IsResident(Length - 1)));
        Assert.Equal(Pages, cache.Device.BlocksRead);
        Assert.Equal(1, cache.Figures.Leaves);
        Assert.Same(file.Mapping.Tree, chain[^1].Mapping.Tree);

        // The middle may go; the ends do not notice.
        for (var depth = 1; depth < 1000; depth++)
        {
            chain[depth].Dispose();
        }

        Assert.True(chain[^1].IsResident(0));
        Assert.Equal(2, cache.Figures.OpenFiles);
    }

    [Fact]
    [Trait("Row", "L38")]
    [Trait("Row", "B1")]
    public void A_clone_outlives_its_origin()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAt(0, 8192);
        var clone = cache.Clone(file);
        file.Dispose();
        Files.AssertSame(cache.Device.Copy(0, Length), clone.ReadAll());
        Assert.Throws<ObjectDisposedException>(() => file.Clone());
        Assert.Equal(Pages, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "B1")]
    [Trait("Row", "B2")]
    public void A_hook_that_throws_leaves_everything_as_it_was()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ThrowingCloneExtents(new Extent(0, Length, 0)), Length);
        file.ReadAll();
        var before = cache.Figures;
        Assert.Equal("no clone today", Assert.Throws<InvalidOperationException>(() => file.Clone()).Message);
        Assert.Equal(before, cache.Figures);
        Assert.True(file.IsResident(0));
    }

    [Fact]
    [Trait("Row", "B1")]
    public async Task An_engine_that_clones_by_a_system_call_is_cloned_by_CloneAsync_only()
    {
        using var cache = new TestCache();
        var extents = new AsyncCloneExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        file.ReadAll();
        Assert.Contains("CloneAsync", Assert.Throws<NotSupportedException>(() => file.Clone()).Message);
        var clone = cache.Own(await file.CloneAsync());
        Assert.True(clone.IsResident(4096));
        Assert.NotSame(extents, clone.Extents);
        Assert.Equal(Pages, cache.Device.BlocksRead);

        // The extents change while the system clones: nothing may be taken over from the tree.
        extents.DuringClone = () => extents.Replace(new Extent(0, Length, 1 << 20));
        var late = cache.Own(await file.CloneAsync());
        Assert.False(late.IsResident(4096));
        Assert.Equal(MemoryDevice.Word((1 << 20) + 4096), late.ReadWord(4096));
    }

    [Fact]
    [Trait("Row", "B1")]
    public void A_clone_needs_an_id_of_its_own()
    {
        using var cache = new TestCache();
        var extents = new CloneableExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length, new FileOpenOptions { Id = FileId.FromNumber(5) });
        Assert.Contains("#5", Assert.Throws<ArgumentException>(() => file.Clone(new FileOpenOptions { Id = FileId.FromNumber(5) })).Message);
        var clone = cache.Clone(file, new FileOpenOptions { Id = FileId.FromNumber(6), Name = "six" });
        Assert.Equal(("six", FileId.FromNumber(6)), (clone.Name, clone.Id));
        Assert.Equal(2, cache.Figures.OpenFiles);
    }

    /// <summary>Two threads of the engine change two windows; the first one's invalidation says nothing of the second's.</summary>
    [Fact]
    [Trait("Row", "B1")]
    public void A_clone_between_two_changes_shows_what_its_engine_says()
    {
        const int Window = 512 * 4096;
        using var cache = new TestCache();
        var extents = new CloneableExtents(new Extent(0, 4096, 0), new Extent(Window, 4096, 8192));
        var file = cache.Open(extents, 2 * Window);
        file.ReadWord(0);
        file.ReadWord(Window);
        extents.Replace(new Extent(0, 4096, 4096), new Extent(Window, 4096, 8192));
        extents.Replace(new Extent(0, 4096, 4096), new Extent(Window, 4096, 12288));
        file.InvalidateExtents(0, 4096);
        var clone = cache.Clone(file);
        file.InvalidateExtents(Window, 4096);
        foreach (var opened in new[] { file, clone, cache.Clone(file) })
        {
            Assert.Equal(MemoryDevice.Word(4096), opened.ReadWord(0));
            Assert.Equal(MemoryDevice.Word(12288), opened.ReadWord(Window));
        }
    }

    [Fact]
    [Trait("Row", "B1")]
    public void A_clone_is_warm_again_when_every_change_was_told()
    {
        using var cache = new TestCache();
        var extents = new CloneableExtents(new Extent(0, 8192, 0));
        var file = cache.Open(extents, 8192);
        extents.Replace(new Extent(0, 8192, 8192));
        extents.Replace(new Extent(0, 8192, 16384));
        file.InvalidateExtents(0, 8192);
        file.ReadAll();
        Assert.False(cache.Clone(file).IsResident(0));
        file.InvalidateExtents(0, 0);
        Assert.True(file.IsResident(0));
        Assert.True(cache.Clone(file).IsResident(0));

        // More invalidations than changes stand for none to come.
        file.InvalidateExtents(4096, 0);
        extents.Replace(new Extent(0, 8192, 24576));
        Assert.False(cache.Clone(file).IsResident(0));
    }

    [Fact]
    [Trait("Row", "B1")]
    public async Task A_file_that_closes_while_the_system_clones_it_has_no_clone()
    {
        using var cache = new TestCache();
        var extents = new AsyncCloneExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        file.ReadAll();
        extents.DuringClone = file.Dispose;
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await file.CloneAsync());
        Assert.Equal(0, cache.Figures.OpenFiles);
    }

    [Theory]
    [Trait("Row", "B1")]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task A_clone_by_a_system_call_needs_an_id_of_its_own(bool opensMeanwhile, bool changesMeanwhile)
    {
        using var cache = new TestCache();
        var extents = new AsyncCloneExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var other = new FileOpenOptions { Id = FileId.FromNumber(6) };
        var calls = 0;
        void OpenOther() => cache.Open(new ListExtents(new Extent(0, Length, 0)), Length, other);
        extents.DuringClone = () =>
        {
            calls++;
            if (opensMeanwhile)
            {
                OpenOther();
            }

            if (changesMeanwhile)
            {
                extents.Replace(new Extent(0, Length, 4096));
            }
        };
        if (!opensMeanwhile)
        {
            OpenOther();
        }

        Assert.Contains("#6", (await Assert.ThrowsAsync<ArgumentException>(async () => await file.CloneAsync(other))).Message);
        Assert.Equal(opensMeanwhile ? 1 : 0, calls);
        Assert.Equal(2, cache.Figures.OpenFiles);
    }

    private sealed class ThrowingCloneExtents(params Extent[] extents) : ListExtents(extents), ICloneableExtentMap
    {
        public IExtentMap Clone() => throw new InvalidOperationException("no clone today");
    }

    private sealed class AsyncCloneExtents(params Extent[] extents) : ListExtents(extents), IAsyncCloneableExtentMap
    {
        public Action? DuringClone { get; set; }

        public async ValueTask<IExtentMap> CloneAsync(CancellationToken cancellationToken)
        {
            await Task.Yield();
            DuringClone?.Invoke();
            return new ListExtents(Current);
        }
    }
}
