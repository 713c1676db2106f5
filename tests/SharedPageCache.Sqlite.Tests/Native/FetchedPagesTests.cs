using System.Runtime.InteropServices;
using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Sqlite.Tests.Native;

/// <summary>What a connection fetches is what the file has then, and stays so as long as it is held.</summary>
public sealed class FetchedPagesTests(ITestOutputHelper output)
{
    private const int PageSize = 4096;
    private const int Pages = 300;

    private const OpenFlags Main = OpenFlags.MainDatabase | OpenFlags.ReadWrite | OpenFlags.Create;

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    public void What_was_written_is_fetched_and_what_is_held_does_not_change(int fetchesBefore)
    {
        using var store = new TestStore { HasDamage = true };
        var main = (MainFile)store.Store.Files.TryOpen("main", Main, out _)!;
        main.Write(Page(1), 0);
        for (var i = 0; i < fetchesBefore; i++)
        {
            main.Unfetch(0, main.Fetch(0, PageSize));
        }

        Assert.Equal(fetchesBefore > 0 ? 1 : 0, main.Fetched.InSlots);
        var held = main.Fetch(0, PageSize);
        main.Unfetch(0, held);
        Assert.Equal(held, main.Fetch(0, PageSize));
        main.Write(Page(2), 0);
        Assert.Equal(0, main.Fetched.InSlots);
        var now = main.Fetch(0, PageSize);
        Assert.Equal(1, WordAt(held));
        Assert.Equal(2, WordAt(now));
        main.Unfetch(0, held);
        main.Unfetch(0, now);
        main.Truncate(0);
        Assert.Equal(0, main.Fetch(0, PageSize));
        main.Close();
    }

    [Fact]
    public void What_cannot_be_pinned_is_read_by_copy_and_a_page_is_given_back_by_its_address()
    {
        using var store = new TestStore(cacheBytes: 2 << 20) { HasDamage = true };
        var files = Enumerable.Range(0, 4).Select(number => (MainFile)store.Store.Files.TryOpen("main", Main, out var _)!).ToArray();
        for (var page = 0; page < 480; page++)
        {
            files[0].Write(Page(page), page * (long)PageSize);
        }

        files[0].File.Sync();
        for (var i = 0; i < 100; i++)
        {
            files[0].Unfetch(0, files[0].Fetch(0, PageSize));
        }

        // Four connections that hold pages of their own hold more than may be pinned; the first one then keeps none beside.
        Assert.Equal(1, files[0].Fetched.InSlots);
        var held = new List<(MainFile File, long Offset, nint Address)>();
        var refused = 0;
        foreach (var (file, number) in files.Reverse().Zip(Enumerable.Range(0, 4)))
        {
            for (var page = number * 120; page < (number + 1) * 120; page++)
            {
                if (file.Fetch(page * (long)PageSize, PageSize) is var address and not 0)
                {
                    Assert.Equal(page, WordAt(address));
                    held.Add((file, page * (long)PageSize, address));
                }
                else
                {
                    refused++;
                }
            }
        }

        Assert.InRange(refused, 100, 380);
        Assert.Equal(0, files[0].Fetched.InSlots);

        // SQLite computes some offsets in 32 bits: the address counts.
        held.ForEach(static page => page.File.Unfetch(page.Offset + (1L << 32), page.Address));
        Assert.NotEqual(0, files[0].Fetch(0, PageSize));
        Array.ForEach(files, static file => file.Close());
    }

    /// <summary>
    /// Random fetches, returns, writes, cuts and locks of three connections, of which one writes when the others hold no lock; every word of what
    /// is held is compared with a model at each step.
    /// </summary>
    [Theory]
    [InlineData(2 << 20)]
    [InlineData(64 << 20)]
    public void Whatever_is_fetched_is_what_the_file_has(int cacheBytes)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("SPC_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"seed {seed}; again: SPC_SEED={seed} dotnet test --filter {nameof(FetchedPagesTests)}");
        var random = new Random(seed);
        using var store = new TestStore(cacheBytes: cacheBytes) { HasDamage = true };
        var files = Enumerable.Range(0, 3).Select(number => (MainFile)store.Store.Files.TryOpen("main", Main, out var _)!).ToArray();
        var held = files.Select(static _ => new List<(long Page, nint Address, int Word)>()).ToArray();
        var model = new int[Pages];
        for (var page = 0; page < Pages; page++)
        {
            files[0].Write(Page(0), page * (long)PageSize);
        }

        var (found, inSlots) = (0, 0);
        for (var step = 1; step <= 150_000; step++)
        {
            var who = random.Next(files.Length);
            var (file, mine) = (files[who], held[who]);
            inSlots += file.Fetched.InSlots;
            switch (random.Next(4_000))
            {
                case < 1_980:
                    // Few pages often, as the upper levels of a tree.
                    var page = random.Next(3) == 0 ? random.Next(Pages) : random.Next(12);
                    Assert.True(file.TryLock(Locking.LockLevel.Shared));
                    if (file.Fetch(page * (long)PageSize, PageSize) is var address and not 0)
                    {
                        Assert.Equal(model[page], WordAt(address));
                        mine.Add((page, address, model[page]));
                        found++;
                    }

                    break;
                case < 3_990 when mine.Count > 0:
                    var at = random.Next(mine.Count);
                    Assert.Equal(mine[at].Word, WordAt(mine[at].Address));
                    file.Unfetch(mine[at].Page * PageSize, mine[at].Address);
                    mine.RemoveAt(at);
                    break;
                case < 3_995:
                    if (random.Next(2) == 0)
                    {
                        file.DropFetched();
                    }

                    break;
                default:
                    // The others end their transactions: what they hold they still may look at.
                    foreach (var other in files.Where(other => other != file))
                    {
                        other.Unlock(Locking.LockLevel.None);
                    }

                    Assert.True(file.TryLock(Locking.LockLevel.Shared) && file.TryLock(Locking.LockLevel.Exclusive));
                    for (var i = random.Next(5); i >= 0; i--)
                    {
                        var written = random.Next(2) == 0 ? random.Next(12) : random.Next(Pages);
                        file.Write(Page(model[written] = step), written * (long)PageSize);
                    }

                    file.Unlock(Locking.LockLevel.None);
                    break;
            }
        }

        Assert.True(found > 20_000 && inSlots > 20_000, $"{found} fetches, {inSlots} in slots");
        Array.ForEach(files, static file => file.Close());
    }

    private static byte[] Page(int word)
    {
        var page = new byte[PageSize];
        MemoryMarshal.Cast<byte, int>(page.AsSpan()).Fill(word);
        return page;
    }

    /// <summary>The word that fills a page.</summary>
    private static unsafe int WordAt(nint address)
    {
        var page = new ReadOnlySpan<int>((void*)address, PageSize / sizeof(int));
        Assert.Equal(-1, page.IndexOfAnyExcept(page[0]));
        return page[0];
    }
}
