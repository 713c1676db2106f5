using Microsoft.Data.Sqlite;
using SharedPageCache.Cow;
using SharedPageCache.Reflink.Tests.Mounts;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>What a store in a directory has of its own: databases are ordinary files, on a file system that has reflinks.</summary>
public sealed class DirectoryHomeTests
{
    [Theory]
    [OnXfs("DELETE", "WAL")]
    [OnBtrfs("DELETE", "WAL")]
    public void Databases_are_ordinary_files_before_and_after(HomeKind home, string mode)
    {
        using var folder = new TemporaryFolder(home);
        Directory.CreateDirectory(folder.PathOf("store"));
        using (var ordinary = Ordinary(folder.PathOf("store/main")))
        {
            ordinary.Run($"PRAGMA journal_mode={mode}");
            StampedTable.Create(ordinary);
        }

        using (var store = SqliteBranchStore.Open(folder.PathOf("store")))
        {
            store.Branch("main", "branch");
            using var connection = store.Connect("branch");
            StampedTable.Stamp(connection, 1);
            store.Cache.Verify();
        }

        using (var ordinary = Ordinary(folder.PathOf("store/branch")))
        {
            Assert.Equal(1, StampedTable.Read(ordinary));
            StampedTable.Stamp(ordinary, 2);
        }

        using var again = SqliteBranchStore.Open(folder.PathOf("store"));
        Assert.Equal(["branch", "main"], again.Databases.Select(static database => database.Name));
        Assert.Equal(0, StampedTable.Read(again, "main"));
        Assert.Equal(2, StampedTable.Read(again, "branch"));
    }

    [Theory]
    [OnXfs]
    [OnBtrfs]
    public void A_directory_with_anything_else_in_it_is_refused_and_left_as_it_was(HomeKind home)
    {
        using var folder = new TemporaryFolder(home);
        using (var ordinary = Ordinary(folder.PathOf("main")))
        {
            StampedTable.Create(ordinary);
        }

        File.WriteAllText(folder.PathOf("thesis.txt"), "of many years");
        var error = Assert.Throws<InvalidDataException>(() => SqliteBranchStore.Open(folder.PathOf("")));
        Assert.Contains("thesis.txt", error.Message, StringComparison.Ordinal);
        Assert.Equal(["main", "thesis.txt"], Directory.GetFiles(folder.PathOf("")).Select(Path.GetFileName).Order());
        File.Delete(folder.PathOf("thesis.txt"));
        File.WriteAllText(folder.PathOf("nobody-journal"), "of a database that is not here");
        Assert.Throws<InvalidDataException>(() => SqliteBranchStore.Open(folder.PathOf("")));
        File.Delete(folder.PathOf("nobody-journal"));
        using var store = SqliteBranchStore.Open(folder.PathOf(""));
        Assert.Equal(0, StampedTable.Read(store, "main"));
    }

    [Fact]
    public void A_file_system_without_reflinks_is_named()
    {
        const string Memory = "/dev/shm";
        if (!Directory.Exists(Memory) || new DriveInfo(Memory).DriveFormat != "tmpfs")
        {
            return;
        }

        var path = Directory.CreateDirectory($"{Memory}/spc-sqlite-{Guid.NewGuid():N}").FullName;
        try
        {
            var error = Assert.Throws<NotSupportedException>(() => SqliteBranchStore.Open(path));
            Assert.Contains(path, error.Message, StringComparison.Ordinal);
            Assert.Contains("tmpfs", error.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFileSystemEntries(path));
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }

    [ReflinkFact(FileSystemKind.Xfs)]
    public void An_XFS_that_was_made_without_reflinks_is_named()
    {
        using var folder = new TemporaryFolder();
        using (var image = File.Create(folder.PathOf("image")))
        {
            image.SetLength(512 << 20);
        }

        Command.Run("mkfs.xfs", "-q", "-m", "reflink=0", folder.PathOf("image"));
        var root = Directory.CreateDirectory(folder.PathOf("mnt")).FullName;
        Command.Run("mount", "-o", "loop", folder.PathOf("image"), root);
        try
        {
            var error = Assert.Throws<NotSupportedException>(() => SqliteBranchStore.Open(root));
            Assert.Contains(root, error.Message, StringComparison.Ordinal);
            Assert.Contains("xfs", error.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFileSystemEntries(root));
        }
        finally
        {
            Command.Run("umount", root);
        }
    }

    [Theory]
    [OnXfs]
    [OnBtrfs]
    public void Two_directories_share_one_cache(HomeKind home)
    {
        using var folder = new TemporaryFolder(home);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 16 << 20 });
        var options = new SqliteBranchStoreOptions { Cache = cache };
        using (var one = SqliteBranchStore.Open(folder.PathOf("one/"), options))
        using (var connection = one.Connect("main"))
        {
            StampedTable.Create(connection);
            using var other = SqliteBranchStore.Open(folder.PathOf("other/"), options);
            using (var second = other.Connect("main"))
            {
                StampedTable.Create(second);
                StampedTable.Stamp(second, 1);
            }

            other.Dispose();
            Assert.Equal(0, StampedTable.Read(connection));
        }

        cache.Verify();
        using var again = SqliteBranchStore.Open(folder.PathOf("other/"), options);
        Assert.Equal(1, StampedTable.Read(again, "main"));
    }

    [Theory]
    [OnXfs]
    [OnBtrfs]
    public void What_a_crash_has_left_is_removed(HomeKind home)
    {
        using var folder = new TemporaryFolder(home);
        using (var store = SqliteBranchStore.Open(folder.PathOf("store/")))
        using (var connection = store.Connect("main"))
        {
            StampedTable.Create(connection);
        }

        File.WriteAllText(folder.PathOf("store/.spc-0123456789abcdef0123456789abcdef"), "half of an import");
        File.WriteAllText(folder.PathOf("store/gone-journal"), "of a branch that was not finished");
        using (var store = SqliteBranchStore.Open(folder.PathOf("store/")))
        {
            Assert.Equal(0, StampedTable.Read(store, "main"));
        }

        Assert.Equal([".spc-lock", ".spc-probe", "main"], Directory.GetFiles(folder.PathOf("store")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    /// <summary>Full to the last block, or nearly so.</summary>
    [Theory]
    [OnXfs("DELETE", "WAL")]
    [OnBtrfs("DELETE", "WAL")]
    public void A_full_disk_refuses_transactions_and_its_databases_are_intact(HomeKind home, string mode)
    {
        const int Full = 13;
        using var mount = LoopMount.Make(home == HomeKind.Xfs ? FileSystemKind.Xfs : FileSystemKind.Btrfs, 400 << 20);
        Directory.CreateDirectory($"{mount.Root}/store");
        var ballast = $"{mount.Root}/ballast";
        using (var store = SqliteBranchStore.Open($"{mount.Root}/store", new SqliteBranchStoreOptions { CacheBytes = 8 << 20 }))
        {
            using (var connection = store.Connect("main"))
            {
                connection.Run($"PRAGMA journal_mode={mode}; PRAGMA cache_size=6");
                StampedTable.Create(connection);
            }

            store.Branch("main", "before");
        }

        Fill(ballast);
        using (var store = SqliteBranchStore.Open($"{mount.Root}/store", new SqliteBranchStoreOptions { CacheBytes = 8 << 20 }))
        {
            using (var connection = store.Connect("main"))
            {
                var error = Assert.Throws<SqliteException>(() =>
                {
                    connection.Run("PRAGMA cache_size=6");
                    StampedTable.Stamp(connection, 1);
                });
                Assert.Equal(Full, error.SqliteErrorCode);
                ReadIfThereIsALog(connection);
            }

            try
            {
                // A reflink of a small file may find room where nothing else does.
                store.Branch("main", "during");
            }
            catch (IOException)
            {
                Assert.False(store.Exists("during"));
                Assert.False(File.Exists($"{mount.Root}/store/during"));
            }

            using (var connection = store.Connect("before"))
            {
                ReadIfThereIsALog(connection);
            }

            File.Delete(ballast);
            using (var connection = store.Connect("main"))
            {
                Again(() => StampedTable.Stamp(connection, 2));
                Assert.Equal(2, StampedTable.Read(connection));
            }

            Assert.Equal(0, StampedTable.Read(store, "before"));
            store.Cache.Verify();
        }

        using var ordinary = Ordinary($"{mount.Root}/store/main");
        Assert.Equal(2, StampedTable.Read(ordinary));

        // With a log SQLite makes that for reading too, for which there may be no room: as on its own VFS.
        void ReadIfThereIsALog(SqliteConnection connection)
        {
            try
            {
                Assert.Equal(0, StampedTable.Read(connection));
            }
            catch (SqliteException error) when (mode == "WAL")
            {
                Assert.Contains(error.SqliteErrorCode, (int[])[Full, 14]);
            }
        }
    }

    /// <summary>
    /// Somebody sets the time of a file before each change that SQLite makes to it: from then on it is refused, as a file that was changed.
    /// Nothing is lost that was acknowledged, for it was on the disk.
    /// </summary>
    [Theory]
    [OnXfs("DELETE", "TRUNCATE", "WAL")]
    public void A_database_that_somebody_else_touches_is_refused_and_stays_intact(HomeKind home, string mode)
    {
        var codes = new SortedSet<int>();
        var isOver = false;
        foreach (var suffix in new[] { "", mode == "WAL" ? "-wal" : "-journal" })
        {
            isOver = false;
            for (var moment = 1; !isOver; moment += moment < 30 ? 1 : 9)
            {
                isOver = Touch(home, mode, suffix, moment, codes);
            }
        }

        Assert.Contains(ResultCode.IoSync, codes);
    }

    /// <returns>Whether the moment has not come.</returns>
    private static bool Touch(HomeKind home, string mode, string suffix, int moment, SortedSet<int> codes)
    {
        using var folder = new TemporaryFolder(home);
        var path = folder.PathOf("store/main" + suffix);
        var (acknowledged, changes) = (0, 0);
        var store = SqliteBranchStore.Open(folder.PathOf("store/"), new SqliteBranchStoreOptions { CacheBytes = 8 << 20 });
        using (var connection = store.Connect("main"))
        {
            connection.Run($"PRAGMA journal_mode={mode}");
            StampedTable.Create(connection);
        }

        try
        {
            store.Catalog.Find("main").BeforeChange = () =>
            {
                if (++changes == moment && File.Exists(path))
                {
                    File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddSeconds(moment));
                }
            };
            using var connection = store.Connect("main");
            connection.Run("PRAGMA cache_size=6; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=20");
            for (var stamp = 1; stamp <= 2; stamp++)
            {
                StampedTable.Stamp(connection, stamp);
                acknowledged = stamp;
            }
        }
        catch (SqliteException error)
        {
            codes.Add(error.SqliteExtendedErrorCode);
        }
        finally
        {
            store.Catalog.Find("main").BeforeChange = null;
            try
            {
                store.Dispose();
            }
            catch (IOException)
            {
                // What was dirty of the file that was touched.
            }
        }

        using var again = SqliteBranchStore.Open(folder.PathOf("store/"));
        Assert.InRange(StampedTable.Read(again, "main"), acknowledged, acknowledged + 1);
        again.Cache.Verify();
        return changes < moment;
    }

    private static SqliteConnection Ordinary(string path)
    {
        var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        return connection;
    }

    /// <summary>Fills a file system with a file, down to the last blocks.</summary>
    private static void Fill(string path)
    {
        var piece = new byte[1 << 20];
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        for (var (length, bytes) = (0L, piece.Length); bytes >= 4096;)
        {
            try
            {
                RandomAccess.Write(file, piece.AsSpan(0, bytes), length);
                RandomAccess.FlushToDisk(file);
                length += bytes;
            }
            catch (IOException)
            {
                bytes /= 2;
            }
        }
    }

    /// <summary>What was deleted may take a moment to be free.</summary>
    private static void Again(Action action)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                action();
                return;
            }
            catch (SqliteException) when (attempt < 20)
            {
                Thread.Sleep(200);
            }
        }
    }
}
