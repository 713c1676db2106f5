namespace SharedPageCache.Tests.Writing;

/// <summary>Clones by a system call: the engine clones what lies on the device, while the file is being written.</summary>
public sealed class SystemCloneTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Contract", "C5")]
    public async Task What_is_dirty_is_on_the_device_before_the_system_clones_and_no_write_back_comes_between()
    {
        using var cache = new WriteCache();
        var (file, system) = Open(cache);
        file.Write(0, Filled(Page, 1));
        file.Write(Page, Filled(100, 2));
        Task? flush = null;
        system.DuringClone = async () =>
        {
            Assert.Equal(0, cache.Figures.DirtyBytes);
            file.Write(0, Filled(Page, 3));

            // It may not be published before the clone is there: the clone's extents are of another moment already.
            flush = ByAnother(() => file.FlushAsync());
            await Task.WhenAny(flush, Task.Delay(50));
        };

        using var clone = await file.CloneAsync();
        await flush!;

        AssertShows(clone, 0, Filled(Page, 3));
        AssertShows(clone, Page, [.. Filled(100, 2), .. new byte[Page - 100]]);
        Assert.Equal(cache.DurableOf(file), cache.DurableOf(clone));
    }

    [Fact]
    [Trait("Contract", "C2")]
    public async Task What_was_written_while_the_system_cloned_is_each_files_own_afterwards()
    {
        using var cache = new WriteCache();
        var (file, system) = Open(cache);
        file.Write(0, Filled(2 * Page, 1));
        system.DuringClone = () =>
        {
            file.Write(Page, Filled(Page, 2));
            return Task.CompletedTask;
        };
        using var clone = await file.CloneAsync();

        file.Write(Page, Filled(Page, 3));
        clone.Write(0, Filled(Page, 4));
        await cache.Volume.FlushAsync();

        AssertShows(file, 0, [.. Filled(Page, 1), .. Filled(Page, 3)]);
        AssertShows(clone, 0, [.. Filled(Page, 4), .. Filled(Page, 2)]);
        Assert.Equal([.. Filled(Page, 4), .. Filled(Page, 2)], cache.DurableOf(clone)[..(2 * Page)]);
    }

    [Fact]
    [Trait("Contract", "C5")]
    public async Task The_files_shape_stands_still_while_the_system_clones()
    {
        using var cache = new WriteCache();
        var (file, system) = Open(cache);
        file.Write(0, Filled(4 * Page, 1));
        Task? punch = null;
        Task? cut = null;
        system.DuringClone = async () =>
        {
            punch = ByAnother(() => file.PunchHoleAsync(0, Page));
            cut = ByAnother(() => file.SetLengthAsync(3 * Page));
            await Task.WhenAny(punch, cut, Task.Delay(50));
            file.Write(Page, Filled(Page, 2));
        };

        using var clone = await file.CloneAsync();
        await Task.WhenAll(punch!, cut!);

        AssertShows(clone, 0, [.. Filled(Page, 1), .. Filled(Page, 2), .. Filled(2 * Page, 1)]);
        Assert.Equal(3 * Page, file.Length);
        AssertShows(file, 0, [.. new byte[Page], .. Filled(Page, 2), .. Filled(Page, 1)]);
    }

    [Fact]
    [Trait("Contract", "C7")]
    public async Task There_is_no_clone_of_what_could_not_be_written_back()
    {
        using var cache = new WriteCache();
        var (file, system) = Open(cache);
        file.Write(0, Filled(Page, 1));
        var calls = 0;
        system.DuringClone = () => Task.FromResult(++calls);
        cache.Engine.Before = static step =>
        {
            if (step == "Place")
            {
                throw new IOException("no space");
            }
        };

        await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.CloneAsync());
        Assert.Equal(0, calls);

        cache.Engine.Before = null;
        using var clone = await file.CloneAsync();
        AssertShows(clone, 0, Filled(Page, 1));
    }

    [Fact]
    public void Such_a_file_is_not_cloned_in_memory_though_its_hooks_could()
    {
        using var cache = new WriteCache();
        var (file, _) = Open(cache);

        Assert.Throws<NotSupportedException>(() => file.Clone());
    }

    [Fact]
    [Trait("Contract", "C5")]
    public async Task An_engine_that_needs_no_flush_for_a_clone_is_asked_for_it_while_nothing_is_dirty()
    {
        using var cache = new WriteCache();
        var prompt = cache.Engine.CreatePromptlyCloned(8 * Page);
        var file = cache.Own(cache.Volume.OpenFile(prompt, 8 * Page));
        file.Write(0, Filled(Page, 1));
        using (var clone = await file.CloneAsync())
        {
            // Dirty: it was flushed, and not asked.
            Assert.Equal(0, prompt.Asked);
            AssertShows(clone, 0, Filled(Page, 1));
        }

        var persists = cache.Engine.Persists;
        prompt.DuringPromptClone = () => file.Write(Page, Filled(Page, 2));
        using var second = await file.CloneAsync();
        Assert.Equal((1, persists), (prompt.Asked, cache.Engine.Persists));

        // What came while it cloned is of both, as ever, and dirty: the third is flushed for.
        AssertShows(second, Page, Filled(Page, 2));
        file.Write(Page, Filled(Page, 3));
        using var third = await file.CloneAsync();
        Assert.Equal(1, prompt.Asked);
        await cache.Volume.FlushAsync();
        Assert.Equal([.. Filled(Page, 1), .. Filled(Page, 2)], cache.DurableOf(second)[..(2 * Page)]);
        Assert.Equal([.. Filled(Page, 1), .. Filled(Page, 3)], cache.DurableOf(third)[..(2 * Page)]);

        // It may say that something of its own has to be flushed first.
        prompt.Declines = true;
        persists = cache.Engine.Persists;
        file.SetLength(6 * Page);
        using var fourth = await file.CloneAsync();
        Assert.Equal((2, persists + 1), (prompt.Asked, cache.Engine.Persists));
        Assert.Equal(6 * Page, fourth.Length);
        cache.Cache.Verify();
    }

    /// <summary>Somebody else does it, who does not carry the engine's flow: the engine itself is refused what waits for it.</summary>
    private static Task ByAnother(Func<ValueTask> act)
    {
        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(() => act().AsTask());
        }
    }

    private static (MappedFile File, PageEngine.SystemClonedFile System) Open(WriteCache cache)
    {
        var system = cache.Engine.CreateSystemCloned(8 * Page);
        return (cache.Own(cache.Volume.OpenFile(system, 8 * Page)), system);
    }

    private static byte[] Filled(int length, byte value)
    {
        var bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        return bytes;
    }

    private static void AssertShows(MappedFile file, long offset, byte[] expected)
    {
        var actual = new byte[expected.Length];
        Assert.Equal(expected.Length, file.Read(offset, actual));
        Assert.Equal(expected, actual);
    }
}
