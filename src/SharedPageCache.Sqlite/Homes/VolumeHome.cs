using SharedPageCache.Cow;
using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Homes;

/// <summary>One file on any file system: a copy-on-write volume, whose directory has the names.</summary>
/// <remarks>
/// Names and clones are changes in memory, and no I/O is done for them. Each commit of the volume makes all names durable at one
/// moment; content is durable before a commit shows it.
/// </remarks>
internal sealed class VolumeHome : IHome
{
    private readonly CowVolume _volume;
    private readonly CachedVolume _cached;

    /// <summary>Attaches a volume, which belongs to the home if this succeeds.</summary>
    public VolumeHome(CowVolume volume, string path, PageCache cache)
    {
        _volume = volume;
        Path = path;
        _cached = volume.Attach(cache);
    }

    public string Path { get; }

    public bool WritesPagesWhole => true;

    public IReadOnlyList<string> Names => [.. _volume.Files.Select(static file => file.Name)];

    public HomeRoom Room
    {
        get
        {
            var figures = _volume.GetStatistics();
            return new HomeRoom(figures.FreeBlocks, Math.Max(16, figures.TotalBlocks / 64), _volume.BlockSize);
        }
    }

    public StoredFile Open(string name)
    {
        var map = _volume.OpenFile(name);
        return new VolumeFile(name, map, _cached.OpenFile(map, map.Length, new FileOpenOptions { Name = name }));
    }

    public StoredFile Create(string name)
    {
        var map = _volume.CreateFile(name);
        return new VolumeFile(name, map, _cached.OpenFile(map, 0, new FileOpenOptions { Name = name }));
    }

    public StoredFile CreateNameless()
    {
        // Should a crash leave the name, it is that of a journal without a database.
        var name = $"nameless {Guid.NewGuid():N}{DatabaseName.JournalSuffix}";
        var map = _volume.CreateFile(name);
        _volume.Delete(name);
        return new VolumeFile(name, map, _cached.OpenFile(map, 0));
    }

    public StoredFile Name(StoredFile nameless, string name)
    {
        _volume.Link(((VolumeFile)nameless).Map, name);
        nameless.Name = name;
        return nameless;
    }

    public StoredFile Clone(StoredFile source, string name)
    {
        var pages = source.Pages.Clone();
        var clone = new VolumeFile(name, (CowFile)pages.Extents, pages, source.Length);
        try
        {
            _volume.Link(clone.Map, name);
            return clone;
        }
        catch
        {
            clone.GiveUp();
            throw;
        }
    }

    public StoredFile Rename(StoredFile file, string newName)
    {
        _volume.Rename(file.Name, newName);
        file.Name = newName;
        return file;
    }

    public void Unname(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            _volume.Delete(name);
        }
    }

    public void SyncNames() => _volume.CommitAsync().GetAwaiter().GetResult();

    public bool TryNameAgain(StoredFile file)
    {
        _volume.Link(((VolumeFile)file).Map, file.Name);
        return true;
    }

    /// <summary>Blocks that were given up wait for two commits.</summary>
    public void Reclaim() => _volume.ReclaimAsync().GetAwaiter().GetResult();

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await _cached.FlushAsync(cancellationToken).ConfigureAwait(false);
        await _volume.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        _cached.Dispose();
        await _volume.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override string ToString() => $"file {Path}";

    private sealed class VolumeFile(string name, CowFile map, MappedFile pages, long? length = null)
        : StoredFile(name, pages, length ?? pages.Length)
    {
        public CowFile Map { get; } = map;

        public override void GiveUp()
        {
            Pages.Delete();
            Map.Dispose();
        }
    }
}
