using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>What the cache knows of one attached volume: its device, its clock, its indexes and its open files.</summary>
internal sealed class VolumeMap
{
    private readonly Dictionary<FileId, FileMapping> _files = [];
    private TinyLock _filesLock;
    private int _openFiles;
    private int _detached;
    private int _framesLoading;
    private int _moved;

    public VolumeMap(
        int number, VolumeId id, string name, IBlockDevice device, int pageShift, FamilyTable families, NodeLedger ledger)
    {
        Number = number;
        Id = id;
        Name = name;
        Device = device;
        BlockSize = device.BlockSize;
        PageShift = pageShift;
        Families = families;
        Ledger = ledger;
        Clock = new RegionClock();
        Regions = new RegionIndex(families, pageShift);
        Leaves = new LeafIndex(Clock, Regions, pageShift);
        Composites = new CompositeIndex(pageShift);
    }

    /// <summary>The number that stands for the volume in block identities.</summary>
    public int Number { get; }

    public VolumeId Id { get; }

    public string Name { get; }

    public IBlockDevice Device { get; }

    public int BlockSize { get; }

    public int PageShift { get; }

    public int PageSize => 1 << PageShift;

    public FamilyTable Families { get; }

    public NodeLedger Ledger { get; }

    public RegionClock Clock { get; }

    public LeafIndex Leaves { get; }

    public RegionIndex Regions { get; }

    public CompositeIndex Composites { get; }

    public int OpenFiles => Atomic.LoadAcquire(ref _openFiles);

    public bool IsDetached => Atomic.LoadAcquire(ref _detached) != 0;

    /// <summary>Whether content of the volume has ever been relocated: only then a frame may be of another block than a leaf says.</summary>
    public bool HasMoved => Atomic.LoadAcquire(ref _moved) != 0;

    public long Bytes => Leaves.Bytes + Regions.Bytes + Composites.Bytes;

    /// <summary>Detaches the volume. The exchange is a full fence: what is looked at after it was done before, or sees it.</summary>
    /// <returns>Whether this call did it; only its caller clears up.</returns>
    public bool Detach() => Atomic.Exchange(ref _detached, 1) == 0;

    /// <summary>Content is going to be relocated. Before the first frame is.</summary>
    public void NoteMove() => Atomic.StoreRelease(ref _moved, 1);

    /// <summary>Counts one more frame that waits for this volume's device, if that are fewer than <paramref name="most"/> now.</summary>
    public bool TryAddLoading(int most)
    {
        if (Atomic.Increment(ref _framesLoading) <= most)
        {
            return true;
        }

        Atomic.Decrement(ref _framesLoading);
        return false;
    }

    public void RemoveLoading(int frames) => Atomic.Add(ref _framesLoading, -frames);

    /// <summary>Opens a file, or takes one more handle of the one that is open under the same id.</summary>
    /// <exception cref="ArgumentException">The id is open with another length or over other extents.</exception>
    public FileMapping Open(IExtentMap extents, long length, FileId id, string? name, SecurityDomain domain)
    {
        if (id.IsNone)
        {
            return Register(new FileMapping(this, extents, id, name, domain, PageTree.Create(length, PageShift, Ledger), new CloneFamily()));
        }

        _filesLock.Enter();
        try
        {
            if (_files.TryGetValue(id, out var open))
            {
                if (open.Tree.Length != length || open.Domain != domain)
                {
                    throw new ArgumentException(
                        $"File {id} is already open with {open.Tree.Length} bytes in {open.Domain}; it cannot be opened with {length} bytes in {domain}.",
                        nameof(id));
                }

                open.AddHandle();
                return open;
            }

            var file = Register(
                new FileMapping(this, extents, id, name, domain, PageTree.Create(length, PageShift, Ledger), new CloneFamily()));
            _files.Add(id, file);
            return file;
        }
        finally
        {
            _filesLock.Exit();
        }
    }

    /// <summary>Makes a clone known. Called inside the source's gate.</summary>
    /// <exception cref="ArgumentException">The id is already open.</exception>
    public FileMapping AddClone(
        FileMapping source, IExtentMap extents, PageTree tree, bool isInLine, FileId id, string? name, SecurityDomain domain)
    {
        if (id.IsNone)
        {
            return Register(new FileMapping(this, extents, id, name, domain, tree, source.Family, isInLine));
        }

        _filesLock.Enter();
        try
        {
            if (_files.ContainsKey(id))
            {
                throw new ArgumentException($"File {id} is already open: a clone needs an id of its own.", nameof(id));
            }

            var file = Register(new FileMapping(this, extents, id, name, domain, tree, source.Family, isInLine));
            _files.Add(id, file);
            return file;
        }
        finally
        {
            _filesLock.Exit();
        }
    }

    /// <exception cref="ArgumentException">The id is already open.</exception>
    public void ThrowIfOpen(FileId id)
    {
        _filesLock.Enter();
        try
        {
            if (!id.IsNone && _files.ContainsKey(id))
            {
                throw new ArgumentException($"File {id} is already open: a clone needs an id of its own.", nameof(id));
            }
        }
        finally
        {
            _filesLock.Exit();
        }
    }

    /// <summary>Gives a handle back.</summary>
    /// <returns>Whether it was the last one and the file is closed now.</returns>
    public bool Close(FileMapping file)
    {
        _filesLock.Enter();
        try
        {
            if (!file.RemoveHandle())
            {
                return false;
            }

            if (!file.Id.IsNone)
            {
                _files.Remove(file.Id);
            }
        }
        finally
        {
            _filesLock.Exit();
        }

        file.Retire();
        file.Family.Leave(file);
        Ledger.RemoveNode(FileMapping.FixedBytes);
        Ledger.AddLogicalBytes(-file.Tree.Length);
        Atomic.Decrement(ref _openFiles);
        return true;
    }

    private FileMapping Register(FileMapping file)
    {
        file.Family.Join(file);
        Ledger.AddNode(FileMapping.FixedBytes);
        Ledger.AddLogicalBytes(file.Tree.Length);
        Atomic.Increment(ref _openFiles);
        return file;
    }
}
