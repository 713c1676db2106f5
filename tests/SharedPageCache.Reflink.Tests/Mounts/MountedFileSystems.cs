namespace SharedPageCache.Reflink.Tests.Mounts;

/// <summary>The file systems that all tests share; each is made when the first test asks for it.</summary>
public sealed class MountedFileSystems : IDisposable
{
    private readonly Dictionary<FileSystemKind, LoopMount> _mounts = [];

    public string RootOf(FileSystemKind kind)
    {
        lock (_mounts)
        {
            if (!_mounts.TryGetValue(kind, out var mount))
            {
                _mounts.Add(kind, mount = LoopMount.Make(kind));
            }

            return mount.Root;
        }
    }

    public void Dispose()
    {
        foreach (var mount in _mounts.Values)
        {
            mount.Dispose();
        }
    }
}

/// <summary>One test at a time: they count what the kernel and the cache hold.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FileSystemTests : ICollectionFixture<MountedFileSystems>
{
    public const string Name = "file systems";
}
