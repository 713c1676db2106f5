namespace SharedPageCache.Cow.Tests.Support;

/// <summary>A volume beside byte arrays that are changed in the same way; its steps are chosen by a seed.</summary>
internal sealed class Model(CowVolume volume, int seed)
{
    private const int LongestFile = 600;
    private const int MostFiles = 8;

    private readonly Random _random = new(seed);
    private readonly Dictionary<CowFile, byte[]> _content = [];
    private int _names;

    /// <summary>The named files and their content.</summary>
    public SortedDictionary<string, byte[]> State
    {
        get
        {
            var state = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
            foreach (var (file, bytes) in _content.Where(pair => pair.Key.Name is not null))
            {
                state.Add(file.Name!, bytes);
            }

            return state;
        }
    }

    /// <summary><see cref="State"/> as it is now, whatever is done later.</summary>
    public SortedDictionary<string, byte[]> Copy()
    {
        var copy = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var (name, bytes) in State)
        {
            copy.Add(name, [.. bytes]);
        }

        return copy;
    }

    /// <summary>What the volume really shows.</summary>
    public static SortedDictionary<string, byte[]> Read(CowVolume volume)
    {
        var state = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var entry in volume.Files)
        {
            state.Add(entry.Name, volume.ReadAll(volume.OpenFile(entry.Name)));
        }

        return state;
    }

    public static bool AreEqual(SortedDictionary<string, byte[]> a, SortedDictionary<string, byte[]> b) =>
        a.Count == b.Count && a.Zip(b).All(pair => pair.First.Key == pair.Second.Key && pair.First.Value.AsSpan().SequenceEqual(pair.Second.Value));

    public void AssertSame()
    {
        AssertContent();
        Assert.True(AreEqual(State, Read(volume)), "the directory differs");
    }

    /// <summary>Compares the model's own files; others may work in the volume too.</summary>
    public void AssertContent()
    {
        foreach (var (file, bytes) in _content)
        {
            Assert.True(bytes.AsSpan().SequenceEqual(volume.ReadAll(file)), $"{file} differs");
        }
    }

    /// <summary>Does something; commits are left to the caller.</summary>
    public async Task<string> StepAsync()
    {
        if (_content.Count == 0)
        {
            return Create();
        }

        var file = _content.Keys.ElementAt(_random.Next(_content.Count));
        switch (_random.Next(13))
        {
            case 0 when _content.Count < MostFiles:
                return Create();
            case 1 when _content.Count < MostFiles:
                return Clone(file);
            case 2:
                return Drop(file);
            case 3:
                return SetLength(file);
            case 4:
                return Punch(file);
            case 5 or 6:
                return CloneRange(file, _content.Keys.ElementAt(_random.Next(_content.Count)));
            case 7:
                return Rename(file);
            case 8:
                return ReplaceWith(file, _content.Keys.ElementAt(_random.Next(_content.Count)));
            default:
                return await WriteAsync(file);
        }
    }

    private string Create()
    {
        var file = volume.CreateFile($"{seed} file {_names++}");
        _content.Add(file, []);
        return $"create {file}";
    }

    private string Clone(CowFile file)
    {
        var clone = _random.Next(2) == 0 ? file.Clone() : file.Clone($"{seed} clone {_names++}");
        _content.Add(clone, [.. _content[file]]);
        return $"clone {file} as {clone}";
    }

    private string Drop(CowFile file)
    {
        if (_random.Next(3) > 0)
        {
            return "nothing";
        }

        if (file.Name is { } name)
        {
            volume.Delete(name);
        }

        var drops = file.Name is null && _random.Next(2) == 0;
        if (drops)
        {
            file.Dispose();
            _content.Remove(file);
        }

        return $"delete {file}, {(drops ? "and drop it" : "still open")}";
    }

    private string Rename(CowFile file)
    {
        if (file.Name is { } name)
        {
            volume.Rename(name, $"{seed} renamed {_names++}");
        }
        else
        {
            volume.Link(file, $"{seed} linked {_names++}");
        }

        return $"name {file}";
    }

    private string SetLength(CowFile file)
    {
        var blocks = _random.Next(LongestFile);
        var length = (blocks * volume.BlockSize) + (_random.Next(2) * _random.Next(volume.BlockSize));
        var bytes = _content[file];
        if (length < bytes.Length && length % volume.BlockSize != 0)
        {
            // Of the block in which the end lies the cache writes the zeros; here the length is rounded instead.
            length -= length % volume.BlockSize;
        }
        else if (bytes.Length % volume.BlockSize != 0 && length > bytes.Length)
        {
            length = bytes.Length;
        }

        file.SetLength(length);
        Array.Resize(ref bytes, length);
        _content[file] = bytes;
        return $"length of {file}";
    }

    private string Punch(CowFile file)
    {
        var (first, count) = Range(LongestFile);
        file.PunchHole((long)first * volume.BlockSize, (long)count * volume.BlockSize);
        var bytes = _content[file];
        var from = Math.Min(bytes.Length, first * volume.BlockSize);
        bytes.AsSpan(from, Math.Min(bytes.Length, (first + count) * volume.BlockSize) - from).Clear();
        return $"punch [{first}, {first + count}) of {file}";
    }

    private string CloneRange(CowFile file, CowFile source)
    {
        var (to, count) = Range(LongestFile / 2);

        // Often alike in the trees, so that whole nodes are shared.
        var from = _random.Next(2) == 0 ? _random.Next(LongestFile / 2) : Math.Max(0, to + (_random.Next(-1, 2) * 128));
        file.CloneRange(source, (long)from * volume.BlockSize, (long)to * volume.BlockSize, (long)count * volume.BlockSize);
        var bytes = _content[file];
        var taken = _content[source].Skip(from * volume.BlockSize).Take(count * volume.BlockSize).ToArray();
        if (taken.Length > 0)
        {
            Array.Resize(ref bytes, Math.Max(bytes.Length, (to * volume.BlockSize) + taken.Length));
        }

        Array.Resize(ref taken, count * volume.BlockSize);
        var start = Math.Min(bytes.Length, to * volume.BlockSize);
        taken.AsSpan(0, Math.Min(taken.Length, bytes.Length - start)).CopyTo(bytes.AsSpan(start));
        _content[file] = bytes;
        return $"clone [{from}, {from + count}) of {source} to {to} of {file}";
    }

    private string ReplaceWith(CowFile file, CowFile source)
    {
        if (file == source)
        {
            return "nothing";
        }

        var size = volume.BlockSize;
        var (old, bytes) = (_content[file], _content[source].ToArray());
        var kept = new List<FileRange>();
        for (var first = _random.Next(100); kept.Count < _random.Next(5) && first < bytes.Length / size; first += 1 + _random.Next(100))
        {
            var count = Math.Min(1 + _random.Next(60), (bytes.Length / size) - first);
            kept.Add(new FileRange((long)first * size, (long)count * size));
            var part = bytes.AsSpan(first * size, count * size);
            part.Clear();
            old.AsSpan(Math.Min(old.Length, first * size), Math.Clamp(old.Length - (first * size), 0, part.Length)).CopyTo(part);
            first += count;
        }

        file.ReplaceWith(source, [.. kept]);
        _content[file] = bytes;
        return $"{file} becomes {source}, but for {string.Join(", ", kept)}";
    }

    private async Task<string> WriteAsync(CowFile file)
    {
        var (first, count) = Range(LongestFile);
        count = Math.Min(count, 1 + _random.Next(40));
        var bytes = _content[file];
        var change = new byte[count * volume.BlockSize];
        _random.NextBytes(change);
        try
        {
            await volume.WriteAsync(file, (long)first * volume.BlockSize, change);
        }
        catch (VolumeFullException)
        {
            return "no room";
        }

        Array.Resize(ref bytes, Math.Max(bytes.Length, (first + count) * volume.BlockSize));
        change.CopyTo(bytes, first * volume.BlockSize);
        _content[file] = bytes;
        return $"write [{first}, {first + count}) of {file}";
    }

    private (int First, int Count) Range(int most)
    {
        var first = _random.Next(most);
        return (first, 1 + _random.Next(most - first));
    }
}
