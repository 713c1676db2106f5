using Microsoft.Data.Sqlite;
using SharedPageCache.Cow;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>What cannot be is refused with a message that says why, and nothing has changed.</summary>
public sealed class BadInputTests
{
    public static TheoryData<string> Names =>
    [
        "", "a/b", "a\\b", "..", "a\0b", "a\nb", "x-journal", "x-wal", "x-shm", ".spc-lock", "x-mj01234567", "x-mjA12345678", ":memory:", "file:x",
        new string('n', 201), new string('é', 101),
    ];

    [Theory]
    [InFile(Rows = nameof(Names))]
    [OnXfs(Rows = nameof(Names))]
    [OnBtrfs(Rows = nameof(Names))]
    public void Names_that_no_database_can_have_are_refused(HomeKind home, string name)
    {
        using var store = new TestStore(home);
        store.Store.Create("main");
        Assert.ThrowsAny<ArgumentException>(() => store.Store.Create(name));
        Assert.ThrowsAny<ArgumentException>(() => store.Store.Branch("main", name));
        Assert.ThrowsAny<ArgumentException>(() => store.Store.Rename("main", name));
        Assert.ThrowsAny<ArgumentException>(() => store.Store.GetConnectionString(name));
        Assert.Single(store.Store.Databases);
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void Half_of_a_surrogate_pair_is_no_name(HomeKind home)
    {
        using var store = new TestStore(home);
        Assert.ThrowsAny<ArgumentException>(() => store.Store.Create("half \ud800"));
    }

    [Theory]
    [InFile("plain", "with spaces, 100 % & more?#=;\"'", "データベース", "x-mj1234")]
    [OnXfs("plain", "with spaces, 100 % & more?#=;\"'", "データベース", "x-mj1234")]
    [OnBtrfs("plain", "with spaces, 100 % & more?#=;\"'", "データベース", "x-mj1234")]
    public void Names_that_look_odd_work(HomeKind home, string name)
    {
        using var store = new TestStore(home);
        using (var connection = store.Store.Connect(name))
        {
            StampedTable.Create(connection);
        }

        Assert.Equal(name, Assert.Single(store.Store.Databases).Name);
        store.Store.Branch(name, "other");
        store.Reopen();
        Assert.Equal(0, StampedTable.Read(store, name));
        Assert.Equal(0, StampedTable.Read(store, "other"));
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void What_is_not_there_or_there_already_is_refused(HomeKind home)
    {
        using var store = new TestStore(home);
        store.Store.Create("main");
        store.Store.Create("other");
        Assert.Throws<FileNotFoundException>(() => store.Store.Branch("nobody", "branch"));
        Assert.Throws<FileNotFoundException>(() => store.Store.Delete("nobody"));
        Assert.Throws<FileNotFoundException>(() => store.Store.Rename("nobody", "branch"));
        Assert.Throws<IOException>(() => store.Store.Create("main"));
        Assert.Throws<IOException>(() => store.Store.Branch("main", "other"));
        Assert.Throws<IOException>(() => store.Store.Branch("main", "main"));
        Assert.Throws<IOException>(() => store.Store.Rename("main", "other"));
        using var missing = new SqliteConnection(store.Store.GetConnectionString("nobody") + ";Mode=ReadWrite");
        Assert.Equal(14, Assert.Throws<SqliteException>(missing.Open).SqliteErrorCode);
        Assert.Equal(2, store.Store.Databases.Count);
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void What_is_open_is_neither_deleted_nor_renamed(HomeKind home)
    {
        using var store = new TestStore(home);
        using (var connection = store.Store.Connect("main"))
        {
            StampedTable.Create(connection);
            Assert.Contains("1 connections", Assert.Throws<IOException>(() => store.Store.Delete("main")).Message, StringComparison.Ordinal);
            Assert.Throws<IOException>(() => store.Store.Rename("main", "other"));
            Assert.Equal(1, Assert.Single(store.Store.Databases).Connections);
        }

        store.Store.Rename("main", "other");
        Assert.Equal(0, StampedTable.Read(store, "other"));
        store.Store.Delete("other");
        Assert.Empty(store.Store.Databases);
        store.Reopen();
        Assert.Empty(store.Store.Databases);
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_database_with_a_log_is_renamed_and_deleted_with_it(HomeKind home)
    {
        using var store = new TestStore(home);
        using (var connection = store.Store.Connect("main"))
        {
            connection.Run("PRAGMA journal_mode=WAL");
            StampedTable.Create(connection);
            StampedTable.Stamp(connection, 1);
            store.Store.Branch("main", "branch");
        }

        // The branch has the log of an open database, which nobody has checkpointed.
        Assert.True(store.Store.Catalog.Find("branch").Wal is { Length: > 0 });
        store.Store.Rename("branch", "renamed");
        Assert.True(store.Store.Catalog.Find("renamed").Wal is { Length: > 0 });
        store.Reopen();
        Assert.Equal(1, StampedTable.Read(store, "renamed"));
        store.Store.Delete("renamed");
        store.Store.Create("renamed");
        Assert.Equal(0, store.Store.Databases.Single(static database => database.Name == "renamed").Length);
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_store_is_opened_once(HomeKind home)
    {
        using var store = new TestStore(home);
        var locked = Assert.Throws<VolumeLockedException>(() => SqliteBranchStore.Open(store.Path));
        Assert.Contains(store.Path.TrimEnd('/'), locked.Message, StringComparison.Ordinal);
        Assert.Contains("in this process", locked.Message, StringComparison.Ordinal);
        using var other = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("dotnet", [typeof(BadInputTests).Assembly.Location, "write", store.Path, "WAL"]) { RedirectStandardError = true })!;
        var message = other.StandardError.ReadToEnd();
        Assert.Contains(nameof(VolumeLockedException), message, StringComparison.Ordinal);
        Assert.Contains($"in process {Environment.ProcessId} ", message, StringComparison.Ordinal);
        other.WaitForExit();
        Assert.NotEqual(0, other.ExitCode);
    }

    [Fact]
    public void What_is_no_store_or_a_part_of_one_is_refused()
    {
        using var folder = new TemporaryFolder();
        var path = folder.PathOf("file");
        File.WriteAllText(path, "no store at all");
        Assert.Throws<VolumeCorruptException>(() => SqliteBranchStore.Open(path));
        using (var database = new SqliteConnection($"Data Source={folder.PathOf("real.db")};Pooling=False"))
        {
            database.Open();
            StampedTable.Create(database);
        }

        Assert.Throws<VolumeCorruptException>(() => SqliteBranchStore.Open(folder.PathOf("real.db")));
        using (var store = SqliteBranchStore.Open(folder.PathOf("store"), new SqliteBranchStoreOptions { CapacityBytes = 8 << 20, CacheBytes = 4 << 20 }))
        using (var connection = store.Connect("main"))
        {
            StampedTable.Create(connection);
        }

        using (var file = File.OpenWrite(folder.PathOf("store")))
        {
            file.SetLength(file.Length / 2);
        }

        Assert.Throws<VolumeCorruptException>(() => SqliteBranchStore.Open(folder.PathOf("store")));
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public async Task Only_databases_without_a_log_are_imported(HomeKind home)
    {
        using var store = new TestStore(home);
        var path = store.PathOf("ordinary.db");
        File.WriteAllText(path, "no database, whatever it is called");
        await Assert.ThrowsAsync<InvalidDataException>(() => store.Store.ImportAsync(path, "main"));
        File.Delete(path);
        await Assert.ThrowsAsync<FileNotFoundException>(() => store.Store.ImportAsync(path, "main"));
        using (var ordinary = new SqliteConnection($"Data Source={path};Pooling=False"))
        {
            ordinary.Open();
            ordinary.Run("PRAGMA journal_mode=WAL");
            StampedTable.Create(ordinary);
            await Assert.ThrowsAsync<InvalidDataException>(() => store.Store.ImportAsync(path, "main"));
        }

        Assert.Empty(store.Store.Databases);
        await store.Store.ImportAsync(path, "main");
        Assert.Equal(0, StampedTable.Read(store, "main"));
        await Assert.ThrowsAsync<IOException>(() => store.Store.ImportAsync(path, "main"));
        store.Reopen();
        Assert.Equal(0, StampedTable.Read(store, "main"));
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_file_of_a_store_that_is_no_database_is_told_so_by_SQLite(HomeKind home)
    {
        using var store = new TestStore(home);
        store.Store.Create("main");
        var main = store.Store.Catalog.Find("main").Main;
        store.HasDamage = true;
        main.Write(new byte[5000], 0);
        main.Write("this is not SQLite"u8, 0);
        using var connection = store.Store.Connect("main");
        Assert.Equal(26, Assert.Throws<SqliteException>(() => connection.Rows("SELECT * FROM sqlite_master")).SqliteErrorCode);
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_native_library_that_is_not_there_is_named(HomeKind home)
    {
        using var store = new TestStore(home);
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<InvalidOperationException>(() =>
            SqliteBranchStore.Open(folder.PathOf("other"), new SqliteBranchStoreOptions { CapacityBytes = 8 << 20, NativeLibrary = "no such library" }));
        Assert.Contains("no such library", error.Message, StringComparison.Ordinal);
    }
}
