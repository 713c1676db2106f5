namespace SharedPageCache.Cow.Tests.Support;

/// <summary>A path of which nothing is left.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile()
        : this(System.IO.Path.GetTempPath())
    {
    }

    private TemporaryFile(string folder) => Path = System.IO.Path.Combine(folder, $"spc-cow-{Guid.NewGuid():N}");

    public string Path { get; }

    /// <summary>A file in memory if the system has such: enough where processes die and machines do not.</summary>
    public static TemporaryFile InMemory() => new(Directory.Exists("/dev/shm") ? "/dev/shm" : System.IO.Path.GetTempPath());

    public void Dispose() => File.Delete(Path);
}
