namespace SharedPageCache.TestKit.Logging;

/// <summary>
/// All files, and how many places show each block. The engine changes it under its lock and logs each change; recovery
/// makes the same changes again.
/// </summary>
/// <param name="blocks">Blocks of the device.</param>
internal sealed class LoggedState(long blocks)
{
    private readonly int[] _references = new int[blocks];

    public SortedDictionary<int, FileState> Files { get; } = [];

    public int NextId { get; private set; } = 1;

    public int BlockCount => _references.Length;

    /// <summary>Called when the last place has stopped showing a block.</summary>
    public Action<long> Freed { get; set; } = static _ => { };

    public int ReferencesTo(long block) => _references[block];

    public FileState Create(int id, string name)
    {
        var file = new FileState(id, name);
        Files.Add(id, file);
        NextId = Math.Max(NextId, id + 1);
        return file;
    }

    public void EndOfFiles(int nextId) => NextId = nextId;

    public FileState Clone(FileState source, int id, string name)
    {
        var clone = Create(id, name);
        clone.Pages = source.Pages;
        foreach (var (page, block) in source.Blocks)
        {
            Bind(clone, page, block);
        }

        return clone;
    }

    public void CloneRange(FileState source, long sourcePage, FileState file, long page, long count)
    {
        var taken = source.Blocks.Where(pair => pair.Key >= sourcePage && pair.Key < sourcePage + count).ToList();

        // Bound before the old ones go: a range that is cloned onto itself keeps its blocks.
        taken.ForEach(pair => _references[pair.Value]++);
        Punch(file, page, count);
        foreach (var (at, block) in taken)
        {
            file.Blocks[at - sourcePage + page] = block;
        }
    }

    public void SetPages(FileState file, long pages)
    {
        Punch(file, pages, long.MaxValue - pages);
        file.Pages = pages;
    }

    public void Punch(FileState file, long first, long count)
    {
        foreach (var (page, block) in file.Blocks.Where(pair => pair.Key >= first && pair.Key - first < count).ToList())
        {
            file.Blocks.Remove(page);
            Unrefer(block);
        }
    }

    public void Delete(FileState file)
    {
        SetPages(file, 0);
        Files.Remove(file.Id);
    }

    public void Bind(FileState file, long page, long block)
    {
        _references[block]++;
        if (file.Blocks.TryGetValue(page, out var old))
        {
            Unrefer(old);
        }

        file.Blocks[page] = block;
    }

    /// <summary>Makes the change that a record describes. Records of pages' contents change nothing here.</summary>
    public void Apply(LogRecord record)
    {
        switch (record.Kind)
        {
            case LogRecordKind.File:
                var listed = Create((int)record.Number(0), record.Name((int)record.Number(2) * 3 + 3));
                listed.Pages = record.Number(1);
                for (var run = 0; run < record.Number(2); run++)
                {
                    for (var i = 0; i < record.Number(run * 3 + 5); i++)
                    {
                        Bind(listed, record.Number(run * 3 + 3) + i, record.Number(run * 3 + 4) + i);
                    }
                }

                break;
            case LogRecordKind.EndOfFiles:
                EndOfFiles((int)record.Number(0));
                break;
            case LogRecordKind.Create:
                Create((int)record.Number(0), record.Name(1));
                break;
            case LogRecordKind.Clone:
                Clone(Files[(int)record.Number(0)], (int)record.Number(1), record.Name(2));
                break;
            case LogRecordKind.CloneRange:
                CloneRange(
                    Files[(int)record.Number(0)], record.Number(1), Files[(int)record.Number(2)], record.Number(3), record.Number(4));
                break;
            case LogRecordKind.SetPages:
                SetPages(Files[(int)record.Number(0)], record.Number(1));
                break;
            case LogRecordKind.Punch:
                Punch(Files[(int)record.Number(0)], record.Number(1), record.Number(2));
                break;
            case LogRecordKind.Delete:
                Delete(Files[(int)record.Number(0)]);
                break;
            case LogRecordKind.Bind:
                for (var owner = 2; owner < record.Payload.Length / 8; owner += 2)
                {
                    for (var i = 0; i < record.Number(1); i++)
                    {
                        Bind(Files[(int)record.Number(owner)], record.Number(owner + 1) + i, record.Number(0) + i);
                    }
                }

                break;
        }
    }

    /// <summary>The records that make this state out of nothing.</summary>
    public IEnumerable<(LogRecordKind Kind, byte[] Payload)> Snapshot()
    {
        foreach (var file in Files.Values)
        {
            var runs = RunsOf(file);
            long[] numbers = [file.Id, file.Pages, runs.Count, .. runs.SelectMany(static run => new[] { run.Page, run.Block, run.Count })];
            yield return (LogRecordKind.File, LogRecord.Pack(numbers, file.Name));
        }

        yield return (LogRecordKind.EndOfFiles, LogRecord.Pack([NextId]));
    }

    /// <summary>What is wrong with the counts and the places, in words.</summary>
    public IEnumerable<string> Faults()
    {
        var counts = new int[_references.Length];
        foreach (var file in Files.Values)
        {
            foreach (var (page, block) in file.Blocks)
            {
                counts[block]++;
                if (page >= file.Pages)
                {
                    yield return $"{file} has a block behind its end, at page {page}.";
                }
            }
        }

        for (var block = 0; block < counts.Length; block++)
        {
            if (counts[block] != _references[block])
            {
                yield return $"Block {block} is shown at {counts[block]} places, and {_references[block]} were counted.";
            }
        }
    }

    private static List<(long Page, long Block, long Count)> RunsOf(FileState file)
    {
        var runs = new List<(long Page, long Block, long Count)>();
        foreach (var (page, block) in file.Blocks)
        {
            if (runs.Count > 0 && runs[^1] is var last && page == last.Page + last.Count && block == last.Block + last.Count)
            {
                runs[^1] = last with { Count = last.Count + 1 };
            }
            else
            {
                runs.Add((page, block, 1));
            }
        }

        return runs;
    }

    private void Unrefer(long block)
    {
        if (--_references[block] == 0)
        {
            Freed(block);
        }
    }
}
