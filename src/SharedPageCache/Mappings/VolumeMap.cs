using SharedPageCache.Concurrency;
using SharedPageCache.Frames;

namespace SharedPageCache.Mappings;

/// <summary>What the cache knows of one attached volume: its device, its clock, its indexes and its open files.</summary>
internal sealed class VolumeMap
{
    private readonly Dictionary<FileId, FileMapping> _files = [];
    private readonly Dictionary<SecurityDomain, DomainAccount> _accounts = [];
    private readonly HashSet<FileMapping> _lingering = new(ReferenceEqualityComparer.Instance);
    private int _lingeringCount;
    private TinyLock _filesLock;
    private TinyLock _accountsLock;
    private long _accountBytes;
    private int _persistOwed;
    private int _openFiles;
    private int _detached;
    private int _framesLoading;
    private int _moved;

    /// <summary>
    /// The binding lock: held, across the engine's hook and the change of trees, by everything that changes who shows a
    /// provisional frame of the volume (clone, leaf copy, punch, truncate, publish). Below the gates, above the leaves.
    /// </summary>
    public TinyLock Binding;

    public VolumeMap(
        int number, VolumeId id, string name, IBlockDevice device, int pageShift, FamilyTable families, NodeLedger ledger,
        DirtyTotal dirty, IPlacementEngine? placement = null, IPageSeal? seal = null)
    {
        Dirty = new DirtyPages(dirty, ledger);
        Placement = placement;
        Seal = seal;
        Placed = new PlacedBlocks(pageShift);
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

    /// <summary>The engine's write-back port, or null for a volume that is only read.</summary>
    public IPlacementEngine? Placement { get; }

    /// <summary>The checksums of the volume's pages, or null.</summary>
    public IPageSeal? Seal { get; }

    /// <summary>The provisional frames of the volume.</summary>
    public DirtyPages Dirty { get; }

    /// <summary>The runs that a write-back, or the engine itself, is writing.</summary>
    public PlacedBlocks Placed { get; }

    /// <summary>The blocks that were reported bad.</summary>
    public BadBlocks Bad { get; } = new();

    /// <summary>What was cut off or punched while a write-back was under way.</summary>
    public CutLog Cuts { get; } = new();

    /// <summary>The write-back of the volume; null for a volume that is only read.</summary>
    public IVolumeWriter? Writer { get; set; }

    /// <summary>Whether the engine has changes that are not known to be durable.</summary>
    public bool IsPersistOwed => Atomic.LoadAcquire(ref _persistOwed) != 0;

    public int OpenFiles => Atomic.LoadAcquire(ref _openFiles);

    public bool IsDetached => Atomic.LoadAcquire(ref _detached) != 0;

    /// <summary>Whether content of the volume has ever been relocated: only then a frame may be of another block than a leaf says.</summary>
    public bool HasMoved => Atomic.LoadAcquire(ref _moved) != 0;

    public long Bytes => Leaves.Bytes + Regions.Bytes + Composites.Bytes + Atomic.LoadAcquire(ref _accountBytes);

    /// <summary>Whether a load may read blocks now: nobody is writing them, and they are not bad.</summary>
    public bool MayRead(BlockRun run) => !Placed.Overlaps(run) && !Bad.Overlaps(run);

    /// <summary>The bytes of a block that is as large as a page.</summary>
    public BlockRun RunOf(long block) => new(block << PageShift, PageSize);

    public void OwePersist()
    {
        if (Placement is not null)
        {
            Atomic.Exchange(ref _persistOwed, 1);
        }
    }

    /// <summary>Takes the debt over: a persist that begins now covers it; who fails to pay owes again.</summary>
    public bool TakePersist() => Atomic.Exchange(ref _persistOwed, 0) != 0;

    /// <summary>
    /// Detaches the volume. The exchange is a full fence: what is looked at after it was done before, or sees it. Under the
    /// binding lock: a publication that has begun gives all its frames their blocks first, and one that begins finds it.
    /// </summary>
    /// <returns>Whether this call did it; only its caller clears up.</returns>
    public bool Detach()
    {
        Binding.Enter();
        var isFirst = Atomic.Exchange(ref _detached, 1) == 0;
        Binding.Exit();
        if (isFirst)
        {
            Writer?.Stop();
        }

        return isFirst;
    }

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
    public FileMapping Open(IExtentMap extents, long length, FileTerms terms)
    {
        var (id, domain) = (terms.Id, terms.Domain);
        if (id.IsNone)
        {
            return Register(NewFile());
        }

        _filesLock.Enter();
        try
        {
            // A deleted file is nobody's any more; its id may be that of another one by now.
            if (_files.TryGetValue(id, out var open) && !open.IsDeleted)
            {
                if (open.Tree.Length != length || open.Domain != domain)
                {
                    throw new ArgumentException(
                        $"File {id} is already open with {open.Tree.Length} bytes in {open.Domain}; it cannot be opened with {length} bytes in {domain}.");
                }

                open.AddHandle();
                _lingering.Remove(open);
                Atomic.StoreRelease(ref _lingeringCount, _lingering.Count);
                return open;
            }

            var file = Register(NewFile());
            _files[id] = file;
            return file;
        }
        finally
        {
            _filesLock.Exit();
        }

        FileMapping NewFile() =>
            new(this, extents, terms, AccountOf(domain), PageTree.Create(length, PageShift, Ledger, FileMapping.NewStamp()), new CloneFamily());
    }

    /// <summary>Makes a clone known. Called inside the source's gate.</summary>
    /// <exception cref="ArgumentException">The id is already open.</exception>
    public FileMapping AddClone(FileMapping source, IExtentMap extents, PageTree tree, bool isInLine, FileTerms terms)
    {
        var id = terms.Id;
        if (id.IsNone)
        {
            return Register(new FileMapping(this, extents, terms, AccountOf(terms.Domain), tree, source.Family, isInLine));
        }

        _filesLock.Enter();
        try
        {
            if (_files.ContainsKey(id))
            {
                throw new ArgumentException($"File {id} is already open: a clone needs an id of its own.");
            }

            var file = Register(new FileMapping(this, extents, terms, AccountOf(terms.Domain), tree, source.Family, isInLine));
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
    /// <remarks>
    /// A file with dirty pages lingers: it is found again by its id, its pages are written by the volume's next flush, and
    /// then it goes.
    /// </remarks>
    public bool Close(FileMapping file)
    {
        var lingers = false;

        // The gate: no write is in the middle of showing a page. The binding lock: no write-back freezes one.
        file.EnterAlone();
        Binding.Enter();
        _filesLock.Enter();
        try
        {
            if (!file.RemoveHandle())
            {
                return false;
            }

            if (MustLinger(file))
            {
                lingers = true;
                _lingering.Add(file);
                Atomic.StoreRelease(ref _lingeringCount, _lingering.Count);
            }
            else
            {
                Forget(file);
            }
        }
        finally
        {
            _filesLock.Exit();
            Binding.Exit();
            file.LeaveAlone();
        }

        if (lingers)
        {
            Writer?.Noted();
        }
        else
        {
            Retire(file);
        }

        return true;
    }

    /// <summary>Files that were closed with dirty pages, all of which are written by now, go.</summary>
    public void RetireLingering()
    {
        if (Atomic.LoadAcquire(ref _lingeringCount) == 0)
        {
            return;
        }

        var gone = new List<FileMapping>();
        Binding.Enter();
        _filesLock.Enter();
        try
        {
            gone.AddRange(_lingering.Where(file => IsDetached || !MustLinger(file)));
            gone.ForEach(Forget);
        }
        finally
        {
            _filesLock.Exit();
            Binding.Exit();
        }

        gone.ForEach(Retire);
    }

    /// <summary>The account of a security domain on this volume: made at its first use, and kept as long as the volume.</summary>
    public DomainAccount AccountOf(SecurityDomain domain)
    {
        _accountsLock.Enter();
        try
        {
            if (!_accounts.TryGetValue(domain, out var account))
            {
                _accounts.Add(domain, account = new DomainAccount(domain, FrameOwner.Of(Number, domain)));
                Atomic.StoreRelease(ref _accountBytes, (long)_accounts.Count * DomainAccount.Bytes);
            }

            return account;
        }
        finally
        {
            _accountsLock.Exit();
        }
    }

    /// <summary>The account of a security domain that has had a file open on this volume, or null.</summary>
    public DomainAccount? FindAccount(SecurityDomain domain)
    {
        _accountsLock.Enter();
        var account = _accounts.GetValueOrDefault(domain);
        _accountsLock.Exit();
        return account;
    }

    /// <summary>Files that were closed and have dirty pages.</summary>
    public int LingeringFiles => Atomic.LoadAcquire(ref _lingeringCount);

    /// <summary>
    /// Whether a file has dirty pages, those on their way to the device included. One that has none is owed nothing by a write-back under way
    /// either: what it showed when the images froze was cut since, or is dirty anew.
    /// </summary>
    private bool MustLinger(FileMapping file) => Dirty.Count > 0 && !IsDetached && TreeSurgery.IsDirty(file.Tree);

    private void Forget(FileMapping file)
    {
        _lingering.Remove(file);
        Atomic.StoreRelease(ref _lingeringCount, _lingering.Count);
        if (!file.Id.IsNone && _files.TryGetValue(file.Id, out var known) && known == file)
        {
            _files.Remove(file.Id);
        }
    }

    private void Retire(FileMapping file)
    {
        file.Retire();
        file.Family.Leave(file);
        Ledger.RemoveNode(FileMapping.FixedBytes);
        Ledger.FileClosed();
        Ledger.AddLogicalBytes(-file.Tree.Length);
        file.Account.RemoveFile();
        Atomic.Decrement(ref _openFiles);
    }

    private FileMapping Register(FileMapping file)
    {
        file.Family.Join(file);
        Ledger.AddNode(FileMapping.FixedBytes);
        Ledger.AddLogicalBytes(file.Tree.Length);
        file.Account.AddFile();
        Atomic.Increment(ref _openFiles);
        return file;
    }
}
