namespace SharedPageCache.Cow.Tests.Support;

/// <summary>A path of which nothing is left.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"spc-cow-{Guid.NewGuid():N}");

    public void Dispose() => File.Delete(Path);
}
