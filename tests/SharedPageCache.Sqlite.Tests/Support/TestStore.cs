using Microsoft.Data.Sqlite;

namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>
/// A store of a kind. At its end the cache is verified, and the volume checked, or every database of the directory by SQLite's own VFS.
/// </summary>
internal sealed class TestStore : IDisposable
{
    private readonly HomeKind _home;
    private readonly string _folder;
    private readonly SqliteBranchStoreOptions _options;

    public TestStore(HomeKind home = HomeKind.File, long cacheBytes = 16 << 20, long capacityBytes = 256 << 20)
    {
        _home = home;
        _folder = Mounts.NewFolder(home);
        _options = new SqliteBranchStoreOptions { CacheBytes = cacheBytes, CapacityBytes = capacityBytes };
        Path = PathOf("test.store") + (home == HomeKind.File ? "" : "/");
        Store = SqliteBranchStore.Open(Path, _options);
    }

    public string Path { get; }

    public SqliteBranchStore Store { get; private set; }

    /// <summary>Whether some of the databases are meant to be none.</summary>
    public bool HasDamage { get; set; }

    public static implicit operator SqliteBranchStore(TestStore store) => store.Store;

    public string PathOf(string name) => System.IO.Path.Combine(_folder, name);

    /// <summary>Closes the store and opens it again.</summary>
    public void Reopen()
    {
        Close();
        Store = SqliteBranchStore.Open(Path, _options);
    }

    public void Dispose()
    {
        List<string> databases = [.. Store.IsClosed ? [] : Store.Databases.Select(static database => database.Name)];
        Close();
        if (_home == HomeKind.File)
        {
            using var volume = Cow.CowVolume.Open(Path);
            var report = volume.Check();
            Assert.True(report.IsClean, report.ToString());
        }
        else if (!HasDamage)
        {
            databases.ForEach(CheckOrdinary);
        }

        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>In a directory databases are ordinary files.</summary>
    private void CheckOrdinary(string name)
    {
        using var connection = new SqliteConnection($"Data Source=\"file:{Uri.EscapeDataString(System.IO.Path.Combine(Path, name))}\";Pooling=False");
        connection.Open();
        connection.CheckIntegrity();
    }

    private void Close()
    {
        if (!Store.IsClosed)
        {
            Store.Cache.Verify();
            Store.Dispose();
        }
    }
}
