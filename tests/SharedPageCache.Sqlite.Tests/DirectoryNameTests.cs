using Microsoft.Data.Sqlite;
using SharedPageCache.Reflink;
using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Homes;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>The names of clones in a directory: they wait for the next sync, and what becomes of them if somebody is in the way.</summary>
public sealed class DirectoryNameTests
{
    [Theory]
    [OnXfs]
    [OnBtrfs]
    public async Task A_branch_has_its_name_with_the_next_sync_of_anybody(HomeKind home)
    {
        using var store = new TestStore(home);
        using (var main = store.Store.Connect("main"))
        {
            main.Run("PRAGMA synchronous=FULL");
            StampedTable.Create(main);
            store.Store.Branch("main", "one");
            store.Store.Branch("one", "two");
            store.Store.Branch("main", "gone");
            store.Store.Delete("gone");
            Assert.False(File.Exists(store.Path + "one"));
            Assert.Equal(["main", "one", "two"], store.Store.Databases.Select(static database => database.Name));
            Assert.Equal(0, StampedTable.Read(store, "two"));
            StampedTable.Stamp(main, 1);
        }

        Assert.Equal([".spc-lock", ".spc-probe", "main", "one", "two"], Names(store));
        store.Store.Branch("main", "three");
        await store.Store.FlushAsync();
        Assert.True(File.Exists(store.Path + "three"));
        store.Reopen();
        Assert.Equal((0, 0, 1), (StampedTable.Read(store, "one"), StampedTable.Read(store, "two"), StampedTable.Read(store, "three")));
    }

    [Theory]
    [OnXfs]
    [OnBtrfs]
    public async Task Somebody_who_has_taken_a_name_keeps_it_and_is_told_of_until_he_is_gone(HomeKind home)
    {
        using var store = new TestStore(home);
        using (var main = store.Store.Connect("main"))
        {
            StampedTable.Create(main);
        }

        // Before: there is no branch.
        var path = store.Path + "branch";
        await File.WriteAllTextAsync(path, "somebody else's");
        Assert.Contains(path, Assert.Throws<IOException>(() => store.Store.Branch("main", "branch")).Message, StringComparison.Ordinal);
        Assert.False(store.Store.Exists("branch"));
        File.Delete(path);

        // Afterwards: it cannot be made durable, and neither can anything that comes after it; nothing is lost.
        store.Store.Branch("main", "branch");
        store.Store.Create("other");
        await File.WriteAllTextAsync(path, "somebody else's");
        Assert.Contains(path, (await Assert.ThrowsAsync<IOException>(() => store.Store.FlushAsync())).Message, StringComparison.Ordinal);
        Assert.Throws<IOException>(() => store.Store.Rename("other", "renamed"));
        Assert.Equal(["branch", "main", "other"], store.Store.Databases.Select(static database => database.Name));
        using (var main = store.Store.Connect("main"))
        {
            main.Run("PRAGMA synchronous=FULL");
            Assert.Equal(ResultCode.IoSync, Assert.Throws<SqliteException>(() => StampedTable.Stamp(main, 1)).SqliteExtendedErrorCode);
            Assert.Contains(path, store.Store.LastFailure!.Message, StringComparison.Ordinal);
        }

        Assert.Equal("somebody else's", await File.ReadAllTextAsync(path));
        File.Delete(path);
        store.Store.Rename("other", "renamed");
        Assert.Equal([".spc-lock", ".spc-probe", "branch", "main", "renamed"], Names(store));
        store.Reopen();
        Assert.Equal((0, 0), (StampedTable.Read(store, "main"), StampedTable.Read(store, "branch")));
    }

    [Theory]
    [OnXfs]
    public void A_cache_with_a_reflink_store_of_the_application_is_refused(HomeKind home)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var folder = new TemporaryFolder(home);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 8 << 20 });
        Directory.CreateDirectory(folder.PathOf("store"));
        var options = new SqliteBranchStoreOptions { Cache = cache };
        using (var own = new ReflinkStore(cache))
        {
            Assert.Throws<InvalidOperationException>(() => SqliteBranchStore.Open(folder.PathOf("store"), options));
        }

        // It has not become a store.
        Assert.Empty(Directory.GetFileSystemEntries(folder.PathOf("store")));
        using var store = SqliteBranchStore.Open(folder.PathOf("store"), options);
        store.Create("main");
    }

    /// <summary>While that is so the directory is not asked for names that it does not have.</summary>
    [Theory]
    [OnXfs]
    [OnBtrfs]
    public async Task A_directory_that_nobody_else_changes_has_no_names_but_the_stores_own(HomeKind home)
    {
        using var folder = new TemporaryFolder(home);
        var path = folder.PathOf("store");
        Directory.CreateDirectory(path);
        await File.WriteAllTextAsync($"{path}/main", "");
        await File.WriteAllTextAsync($"{path}/main-journal", "");
        using (var names = new NamesInFolder(path))
        {
            Assert.True(names.AreAllOwn);
            names.Change(() => File.WriteAllText($"{path}/one", ""));
            names.Change(() => File.Move($"{path}/one", $"{path}/two"));
            names.Change(() => File.Delete($"{path}/main-journal"));
            Assert.True(names.AreAllOwn);
            names.ThrowIfTaken("three");

            // A change that fails is one too.
            Assert.Throws<IOException>(() => names.Change(() => File.Move($"{path}/two", $"{path}/main")));
            Assert.True(names.AreAllOwn);

            Directory.CreateDirectory($"{path}/three");
            Assert.False(names.AreAllOwn);
            Assert.Throws<IOException>(() => names.ThrowIfTaken("three"));
            names.ThrowIfTaken("four");
            names.Change(() => File.Delete($"{path}/two"));
            Assert.False(names.AreAllOwn);
            names.Flush();
        }

        // Who opens it now finds a directory in it.
        using (var names = new NamesInFolder(path))
        {
            Assert.False(names.AreAllOwn);
            Assert.Throws<IOException>(() => names.ThrowIfTaken("three"));
        }

        Assert.Throws<IOException>(() => new NamesInFolder(path + "/nowhere"));
    }

    /// <summary>Between the moment when a clone is looked at and the one when it is made durable.</summary>
    [Theory]
    [OnXfs]
    public async Task A_clone_that_is_given_up_while_others_are_named_is_passed_over(HomeKind home)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var waiting = new WaitingClones(home);
        var (clones, made) = (waiting.Names, await waiting.MakeAsync("a-journal", "a", "b"));
        var flushes = 0;
        clones.NameAll(static change => change(), () =>
        {
            flushes++;
            Assert.True(clones.TryRemove("a"));
            made[1].File.Delete();
            made[1].Dispose();
        });
        Assert.Equal(1, flushes);
        Assert.False(clones.TryRemove("a"));
        Assert.False(clones.TryRemove("b"));
        Assert.Equal(["a-journal", "b", "origin"], await waiting.FilesAsync());
    }

    [Theory]
    [OnXfs]
    [OnBtrfs]
    public async Task A_clone_that_is_given_up_while_many_are_made_durable_is_left_out(HomeKind home)
    {
        const int count = 20;
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var waiting = new WaitingClones(home);
        var (clones, made) = (waiting.Names, await waiting.MakeAsync([.. Enumerable.Range(0, count).Select(static i => $"{i}")]));
        var changes = 0;
        clones.NameAll(
            change =>
            {
                // Between two that get their passing names: this one has his, and then one that has none yet.
                if (++changes is 3 or 6)
                {
                    var gone = changes == 3 ? 0 : 10;
                    Assert.True(clones.TryRemove($"{gone}"));
                    made[gone].File.Delete();
                    made[gone].Dispose();
                }

                change();
            },
            static () => { });
        Assert.Equal(
            [.. Enumerable.Range(0, count).Where(static i => i is not (0 or 10)).Select(static i => $"{i}").Append("origin").Order(StringComparer.Ordinal)],
            await waiting.FilesAsync());
    }

    private static IEnumerable<string?> Names(TestStore store) => NamesIn(store.Path);

    private static IEnumerable<string?> NamesIn(string path) => Directory.GetFiles(path).Select(Path.GetFileName).Order(StringComparer.Ordinal);

    /// <summary>Clones of one file that wait for their names. At the end those that were not given up are closed, and the cache is verified.</summary>
    [System.Runtime.Versioning.SupportedOSPlatform("linux")]
    private sealed class WaitingClones : IDisposable
    {
        private readonly TemporaryFolder _folder;
        private readonly PageCache _cache = new(new PageCacheOptions { CapacityBytes = 8 << 20 });
        private readonly ReflinkStore _store;
        private readonly ReflinkedFile _origin;
        private readonly List<ReflinkedFile> _made = [];

        public WaitingClones(HomeKind home)
        {
            _folder = new TemporaryFolder(home);
            _store = new ReflinkStore(_cache, new ReflinkStoreOptions { AllowWriting = true });
            File.WriteAllText(_folder.PathOf("origin"), "content");
            _origin = _store.OpenForWriting(_folder.PathOf("origin"));
        }

        public ClonesToName Names { get; } = new();

        public async Task<IReadOnlyList<ReflinkedFile>> MakeAsync(params string[] names)
        {
            foreach (var name in names)
            {
                _made.Add(await _origin.CloneForLaterAsync(_folder.PathOf(name), _folder.PathOf(".spc-" + name)));
                Names.Add(name, _made[^1]);
            }

            return _made;
        }

        /// <summary>The names in the folder, when all is durable. Each file has the content of the first.</summary>
        public async Task<IEnumerable<string?>> FilesAsync()
        {
            await _origin.File.Volume.FlushAsync();
            Assert.All(Directory.GetFiles(_folder.PathOf("")), static path => Assert.Equal("content", File.ReadAllText(path)));
            return NamesIn(_folder.PathOf(""));
        }

        public void Dispose()
        {
            _made.ForEach(static clone => clone.Dispose());
            _origin.Dispose();
            _cache.Verify();
            _store.Dispose();
            _cache.Dispose();
            _folder.Dispose();
        }
    }
}
