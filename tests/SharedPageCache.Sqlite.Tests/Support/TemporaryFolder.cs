namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>A folder of which nothing is left.</summary>
internal sealed class TemporaryFolder(HomeKind home = HomeKind.File) : IDisposable
{
    private readonly string _path = Mounts.NewFolder(home);

    public string PathOf(string name) => Path.Combine(_path, name);

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
