namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>A store in a temporary file. At its end the cache is verified and the volume checked.</summary>
internal sealed class TestStore : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("spc-sqlite-").FullName;
    private readonly SqliteBranchStoreOptions _options;

    public TestStore(long cacheBytes = 16 << 20, long capacityBytes = 256 << 20)
    {
        _options = new SqliteBranchStoreOptions { CacheBytes = cacheBytes, CapacityBytes = capacityBytes };
        Store = SqliteBranchStore.Open(Path, _options);
    }

    public string Path => PathOf("test.store");

    public SqliteBranchStore Store { get; private set; }

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
        Close();
        using (var volume = Cow.CowVolume.Open(Path))
        {
            var report = volume.Check();
            Assert.True(report.IsClean, report.ToString());
        }

        Directory.Delete(_folder, recursive: true);
    }

    private void Close()
    {
        Store.Cache.Verify();
        Store.Dispose();
    }
}
