using SharedPageCache.Cow.Disk;
using SharedPageCache.Cow.Space;
using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow;

/// <summary>All that the volume knows, in memory, under one lock.</summary>
/// <remarks>
/// The lock is the innermost one of a program: hooks take it under the cache's locks, nothing is called and no I/O is
/// done under it. Whatever can fail (arguments, a file that is gone) is checked before the first change, so a change
/// happens as a whole or not at all.
/// </remarks>
internal sealed class VolumeState
{
    private readonly HashSet<CowFile> _changed = [];
    private readonly HashSet<ulong> _removed = [];
    private readonly FileTable _table;
    private ulong _nextFile;
    private CowFile? _newest;

    public VolumeState(string name, Superblock superblock, TreeLoader loaded, TreeShape shape)
    {
        Name = name;
        Space = new SpaceMap(Superblock.FirstByte / shape.BlockSize, superblock.TotalBlocks, superblock.Generation + 1);
        Space.Load(loaded.Shown, loaded.Metadata);
        Trees = new TreeEditor(shape, Space);
        _table = new FileTable(shape, Space) { Tree = loaded.Files };
        _nextFile = superblock.NextFile;
        foreach (var record in loaded.Records)
        {
            var file = Add(new CowFile(this, record.Id, record.Name, record.Length, record.Tree));
            Names.Add(record.Name, file);
        }
    }

    public Lock Lock { get; } = new();

    public string Name { get; }

    public SpaceMap Space { get; }

    public TreeEditor Trees { get; }

    /// <summary>The directory.</summary>
    public Dictionary<string, CowFile> Names { get; } = new(StringComparer.Ordinal);

    /// <summary>How many changes there were that a commit has to make durable.</summary>
    public long Changes { get; private set; }

    /// <summary>The tree of files as of the last snapshot.</summary>
    public FileTree Table => _table.Tree;

    /// <summary>Every file that has a tree: the named and the anonymous ones.</summary>
    public IEnumerable<CowFile> LiveFiles
    {
        get
        {
            for (var file = _newest; file is not null; file = file.Older)
            {
                yield return file;
            }
        }
    }

    public bool IsDisposed { get; private set; }

    public ulong TakeNumber() => _nextFile++;

    /// <summary>Lists a file that has a tree. The list runs through the files, so that a clone costs no more than itself.</summary>
    public CowFile Add(CowFile file)
    {
        file.Older = _newest;
        if (_newest is not null)
        {
            _newest.Newer = file;
        }

        return _newest = file;
    }

    /// <summary>Takes a file whose tree is gone off the list.</summary>
    public void Remove(CowFile file)
    {
        if (file.Newer is null)
        {
            _newest = file.Older;
        }
        else
        {
            file.Newer.Older = file.Older;
        }

        if (file.Older is not null)
        {
            file.Older.Newer = file.Newer;
        }

        file.Older = file.Newer = null;
    }

    /// <summary>Notes that a file is not as the last snapshot has it.</summary>
    public void NoteChange(CowFile file)
    {
        Changes++;
        if (file.Name is not null && _changed.Add(file))
        {
            // Its record, and a node of the tree of files.
            Space.NoteMade(2);
        }
    }

    public void Bind(string name, CowFile file)
    {
        Names.Add(name, file);
        file.SetName(name);
        _removed.Remove(file.Number);
        NoteChange(file);
    }

    public void Unbind(CowFile file)
    {
        Names.Remove(file.Name!);
        file.SetName(null);
        _changed.Remove(file);
        _removed.Add(file.Number);
        Changes++;
    }

    /// <summary>Freezes the state as it is: what was made up to now is not changed any more, but copied.</summary>
    public Snapshot TakeSnapshot()
    {
        foreach (var file in _changed)
        {
            _table.Set(file.Number, new FileRecord(Space.Generation, file.Number, file.Name!, file.Length, file.Tree));
        }

        foreach (var number in _removed)
        {
            _table.Set(number, null);
        }

        _changed.Clear();
        _removed.Clear();
        return new Snapshot(_table.Tree, _nextFile, Space.Freeze(), Changes);
    }

    public void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(IsDisposed, typeof(CowVolume));

    public void Dispose() => IsDisposed = true;
}
