using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests.Crashes;

/// <summary>Operations on the volume itself: place, write, publish, and the hooks.</summary>
internal sealed class PlainWorkload(CowVolume volume) : ICrashWorkload
{
    private readonly Dictionary<CowFile, byte[]> _content = [];
    private int _fill;
    private int _names;

    public int Operations => 12;

    public SortedDictionary<string, byte[]> State
    {
        get
        {
            var state = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
            foreach (var (file, bytes) in _content.Where(static pair => pair.Key.Name is not null))
            {
                state.Add(file.Name!, [.. bytes]);
            }

            return state;
        }
    }

    private int Block => volume.BlockSize;

    /// <summary>Two files that are there before the first operation.</summary>
    public static async Task<PlainWorkload> BeginAsync(CowVolume volume)
    {
        var workload = new PlainWorkload(volume);
        await workload.WriteAsync(workload.Create("a"), 0, 3);
        await workload.WriteAsync(workload.Create("b"), 1, 2);
        await volume.CommitAsync();
        return workload;
    }

    public async Task DoAsync(int operation)
    {
        var (first, last) = (_content.Keys.First(), _content.Keys.Last());
        switch (operation)
        {
            case 0:
                await WriteAsync(first, 0, 2);
                break;
            case 1:
                await WriteAsync(first, 2, 3);
                break;
            case 2:
                await WriteAsync(Create($"new {++_names}"), 0, 1);
                break;
            case 3:
                _content.Add(first.Clone($"clone {++_names}"), [.. _content[first]]);
                break;
            case 4:
                CloneRange(first, last);
                break;
            case 5:
                first.PunchHole(Block, Block);
                _content[first].AsSpan(Math.Min(Block, _content[first].Length), Math.Clamp(_content[first].Length - Block, 0, Block)).Clear();
                break;
            case 6:
                first.SetLength(Block);
                _content[first] = Resized(_content[first], Block);
                break;
            case 7 when first != last:
                last.ReplaceWith(first, []);
                _content[last] = [.. _content[first]];
                break;
            case 8:
                volume.Rename(first.Name!, $"renamed {++_names}");
                break;
            case 9 when _content.Count > 1:
                volume.Delete(last.Name!);
                last.Dispose();
                _content.Remove(last);
                break;
            case 10:
                await volume.ReclaimAsync();
                break;
            default:
                await WriteAsync(last, 1, 1);
                break;
        }
    }

    public Task CommitAsync() => volume.CommitAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private CowFile Create(string name)
    {
        var file = volume.CreateFile(name);
        _content.Add(file, []);
        return file;
    }

    private async Task WriteAsync(CowFile file, int first, int blocks)
    {
        var bytes = WriteBack.Bytes(blocks * Block, ++_fill);
        await volume.WriteAsync(file, (long)first * Block, bytes);
        _content[file] = Resized(_content[file], Math.Max(_content[file].Length, (first + blocks) * Block));
        bytes.CopyTo(_content[file], first * Block);
    }

    private void CloneRange(CowFile source, CowFile file)
    {
        var taken = _content[source].Skip(Block).Take(2 * Block).ToArray();
        file.CloneRange(source, Block, 0, 2L * Block);
        if (taken.Length > 0)
        {
            _content[file] = Resized(_content[file], Math.Max(_content[file].Length, taken.Length));
        }

        // What the source does not reach is a hole there, and here.
        _content[file].AsSpan(0, Math.Min(_content[file].Length, 2 * Block)).Clear();
        taken.CopyTo(_content[file], 0);
    }

    private static byte[] Resized(byte[] bytes, int length)
    {
        Array.Resize(ref bytes, length);
        return bytes;
    }
}
