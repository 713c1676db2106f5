using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests.Crashes;

/// <summary>Operations on files of a cache over the volume: write-back, clones, merges and ranges of dirty files.</summary>
internal sealed class CachedWorkload : ICrashWorkload
{
    private readonly CowVolume _volume;
    private readonly PageCache _cache;
    private readonly CachedVolume _attached;
    private readonly List<(MappedFile File, ModelFile Model)> _files = [];
    private int _fill;
    private int _names;

    private CachedWorkload(CowVolume volume)
    {
        _volume = volume;
        _cache = new PageCache(new PageCacheOptions
        {
            PageSize = volume.BlockSize, CapacityBytes = 1 << 20, HugePages = false, MaxReadAheadPages = 0, DirtyAge = TimeSpan.FromHours(1),
        });
        _attached = volume.Attach(_cache);
    }

    public int Operations => 14;

    public SortedDictionary<string, byte[]> State
    {
        get
        {
            var state = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
            foreach (var (file, model) in _files)
            {
                state.Add(((CowFile)file.Extents).Name!, model.Bytes.ToArray());
            }

            return state;
        }
    }

    private int Page => _volume.BlockSize;

    public static async Task<CachedWorkload> BeginAsync(CowVolume volume)
    {
        var workload = new CachedWorkload(volume);
        foreach (var name in new[] { "a", "b" })
        {
            var file = volume.CreateFile(name);
            workload._files.Add((workload.Open(file), new ModelFile()));
            await workload.WriteAsync(workload._files.Count - 1, 0, 3);
        }

        await workload.CommitAsync();
        return workload;
    }

    public async Task DoAsync(int operation)
    {
        var last = _files.Count - 1;
        var (a, model) = _files[0];
        switch (operation)
        {
            case 0:
                await WriteAsync(0, 0, 2);
                break;
            case 1:
                await WriteAsync(0, (int)(a.Length / Page), 2);
                break;
            case 2:
                await WriteAsync(last, 1, 1);
                break;
            case 3:
                Clone();
                break;
            case 4 when last > 0:
                await CloneRangeAsync(0, last);
                break;
            case 5:
                await a.PunchHoleAsync(Page, Page);
                model.Punch(Page, Page);
                break;
            case 6:
                await a.SetLengthAsync(Page);
                model.SetLength(Page);
                break;
            case 7:
                await MergeAsync();
                break;
            case 8:
                _volume.Rename(((CowFile)a.Extents).Name!, $"renamed {++_names}");
                break;
            case 9 when last > 0:
                _files[last].File.Delete();
                _files.RemoveAt(last);
                break;
            case 10:
                await LeaseAsync();
                break;
            case 11:
                var file = _volume.CreateFile($"new {++_names}");
                _files.Add((Open(file), new ModelFile()));
                await WriteAsync(last + 1, 0, 1);
                break;
            case 12:
                await a.ZeroRangeAsync(0, Page);
                model.Punch(0, Page);
                break;
            default:
                await a.ReadAsync(0, new byte[2 * Page]);
                break;
        }
    }

    /// <summary>A name is the volume's business, and no debt of the cache: so the volume commits, too.</summary>
    public async Task CommitAsync()
    {
        await _attached.FlushAsync();
        await _volume.CommitAsync();
    }

    public ValueTask DisposeAsync()
    {
        _cache.Verify();
        _cache.Dispose();
        return ValueTask.CompletedTask;
    }

    private MappedFile Open(CowFile file) => _attached.OpenFile(file, file.Length, new FileOpenOptions { Id = file.Id, Name = file.Name });

    private async Task WriteAsync(int index, int first, int pages)
    {
        var bytes = WriteBack.Bytes(pages * Page, ++_fill);
        await _files[index].File.WriteAsync((long)first * Page, bytes);
        _files[index].Model.Write((long)first * Page, bytes);
    }

    private void Clone()
    {
        var (file, model) = _files[0];
        var clone = file.Clone();
        _volume.Link((CowFile)clone.Extents, $"clone {++_names}");
        _files.Add((clone, model.Clone()));
    }

    private async Task CloneRangeAsync(int source, int index)
    {
        var (from, to) = (_files[source], _files[index]);
        var length = Math.Min(2 * Page, from.Model.Length);
        await to.File.CloneRangeAsync(from.File, 0, Page, length);
        to.Model.CloneRange(from.Model, 0, Page, length);
    }

    /// <summary>A branch of the first file is written and goes back into it.</summary>
    private async Task MergeAsync()
    {
        var (file, model) = _files[0];
        using var branch = file.Clone();
        var bytes = WriteBack.Bytes(Page, ++_fill);
        await branch.WriteAsync(0, bytes);
        await branch.MergeIntoAsync(file);
        model.Write(0, bytes);
    }

    private async Task LeaseAsync()
    {
        var (file, model) = _files[0];
        using var lease = await file.LeaseForWriteAsync(0);
        var bytes = WriteBack.Bytes(lease.Length, ++_fill);
        bytes.CopyTo(lease.Span);
        await lease.CommitAsync();
        model.Write(0, bytes);
    }
}
