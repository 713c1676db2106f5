using Microsoft.Data.Sqlite;
using SharedPageCache.Reflink.Tests.Mounts;
using SharedPageCache.Sqlite.Native;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>
/// The power goes at moments around branches, renames and deletions in a directory: the image of the file system is copied while the store works on it, and
/// mounted later. What was synced is there, and whatever is there is whole.
/// </summary>
public sealed class PowerCutTests
{
    [Theory]
    [OnXfs("DELETE", "WAL")]
    [OnBtrfs("DELETE", "WAL")]
    public async Task A_branch_is_there_as_a_whole_or_not_at_all(HomeKind home, string mode)
    {
        using var folder = new TemporaryFolder();
        var kind = home == HomeKind.Xfs ? FileSystemKind.Xfs : FileSystemKind.Btrfs;
        var cuts = new List<Cut>();
        using (var mount = LoopMount.Make(kind, 400 << 20))
        {
            // What has not been synced since its beginning may be on the disk or not.
            void CutPower(params (string Name, int? Stamp)[] states)
            {
                cuts.Add(new Cut(folder.PathOf($"cut-{cuts.Count}"), states.Where(static state => state.Stamp is not null).ToDictionary(), [.. states.Where(static state => state.Stamp is null).Select(static state => state.Name)]));
                mount.CopyTo(cuts[^1].Image);
            }

            await using var store = SqliteBranchStore.Open($"{mount.Root}/store/", new SqliteBranchStoreOptions { CacheBytes = 8 << 20 });
            using var main = store.Connect("main");
            main.Run($"PRAGMA journal_mode={mode}; PRAGMA synchronous=FULL; PRAGMA cache_size=6");
            StampedTable.Create(main);
            StampedTable.Stamp(main, 1);
            await store.FlushAsync();

            store.Branch("main", "one");
            CutPower(("main", 1), ("one", null));
            StampedTable.Stamp(main, 2);
            CutPower(("main", 2), ("one", 1));

            // Somebody else flushes the directory, which makes durable what names it has.
            store.Branch("one", "two");
            store.Branch("two", "three");
            using (var opened = new Folder($"{mount.Root}/store"))
            {
                opened.Flush();
            }

            CutPower(("main", 2), ("one", 1), ("two", null), ("three", null));
            using (var three = store.Connect("three"))
            {
                // A branch of a branch that has no name yet is written, and synced with it.
                StampedTable.Stamp(three, 3);
            }

            CutPower(("main", 2), ("one", 1), ("two", 1), ("three", 3));
            store.Rename("two", "renamed");
            CutPower(("main", 2), ("one", 1), ("renamed", 1), ("three", 3), ("two", null));
            store.Delete("three");
            CutPower(("main", 2), ("one", 1), ("renamed", 1), ("three", null), ("two", null));
            await store.FlushAsync();
            CutPower(("main", 2), ("one", 1), ("renamed", 1));

            // In the middle of a transaction the branch has its journal or log, under names of its own.
            main.Run("BEGIN; UPDATE t SET stamp = 4");
            store.Branch("main", "hot");
            CutPower(("main", 2), ("one", 1), ("renamed", 1), ("hot", null));
            main.Run("COMMIT");
            CutPower(("main", 4), ("one", 1), ("renamed", 1), ("hot", 2));

            for (var i = 0; i < 20; i++)
            {
                store.Branch("main", $"of many {i}");
            }

            store.Delete("of many 7");
            CutPower([("main", 4), ("one", 1), ("renamed", 1), ("hot", 2), .. Enumerable.Range(0, 20).Select(static i => ($"of many {i}", (int?)null))]);
            await store.FlushAsync();
            CutPower([("main", 4), ("one", 1), ("renamed", 1), ("hot", 2), .. Enumerable.Range(0, 20).Where(static i => i != 7).Select(static i => ($"of many {i}", (int?)4))]);
            store.Cache.Verify();
        }

        foreach (var cut in cuts)
        {
            using var mount = LoopMount.MakeAfterPowerCut(kind, cut.Image);
            using var store = SqliteBranchStore.Open($"{mount.Root}/store/", new SqliteBranchStoreOptions { CacheBytes = 8 << 20 });
            var found = store.Databases.ToDictionary(static database => database.Name, database => StampedTable.Read(store, database.Name));
            foreach (var (name, stamp) in cut.Durable)
            {
                Assert.True(found.TryGetValue(name, out var read) && read == stamp, $"{cut.Image}: {name} should have {stamp}; found {string.Join(", ", found)}");
            }

            Assert.True(
                found.All(database => cut.Durable.ContainsKey(database.Key) || (cut.Open.Contains(database.Key) && database.Value is >= 1 and <= 4)),
                $"{cut.Image}: {string.Join(", ", found)}");
            Assert.DoesNotContain(Directory.GetFiles($"{mount.Root}/store"), static file => Path.GetFileName(file).StartsWith(".spc-clone", StringComparison.Ordinal));
            store.Cache.Verify();
        }
    }

    /// <summary>A moment.</summary>
    /// <param name="Image">The copy of the file system.</param>
    /// <param name="Durable">What must be there, with which stamp.</param>
    /// <param name="Open">What may be there.</param>
    private sealed record Cut(string Image, Dictionary<string, int?> Durable, HashSet<string> Open);
}
