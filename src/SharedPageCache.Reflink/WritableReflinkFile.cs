using Microsoft.Win32.SafeHandles;
using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <summary>An inode that is open for writing: what its pages are written to, and what was done to its shape.</summary>
/// <remarks>
/// <para>
/// <b>Two truths.</b> The table of extents is what the cache is told; it changes at once, in memory, by the hooks. What was
/// done to the length and the holes is queued and done to the file in the same order, before the next write to it and before
/// anything is called durable.
/// </para>
/// <para>
/// <b>Staged runs.</b> Where a page goes is the file system's to say, after the write. Before it, the range gets a name that
/// no other range ever has (<see cref="Stage"/>): from then on no load of the old blocks comes through this file, and what
/// nobody else shows of them is dropped. The page is published under its name. When the file is on the disk, its extents
/// are asked for and the names give way to places (<see cref="Settle"/>); cached pages follow, so nothing is read again.
/// What reads zero when the names are given shows its name only when it is published: there is no block to keep loads from,
/// and if it was punched after it was frozen it is never published, and must not show what is written all the same.
/// </para>
/// <para>
/// <b>A cut inside a block</b> changes what is read of it through this file, and of this file only: the file system zeroes what is
/// behind the new end, in another block if this one is shared. So the block gets a name by the hook: no load of the old block comes
/// through this file any more, none that is under way comes to anything, and the others who show it see nothing of the cut.
/// </para>
/// <para>
/// <b>A cut during a write-back.</b> A page that is cut after it was frozen comes back by Abandon, and may be in the file all
/// the same, over a hole that was punched before. So an abandoned range that was cut since the write-back began is punched
/// once more. Where the range was written again before it was frozen, that takes away what the failed write has left, over
/// what was a hole: nothing that was ever durable.
/// </para>
/// <para>
/// <b>Locks.</b> The volume's lock -> gates and binding lock of the cache -> <c>_shape</c>, under which there is no I/O
/// and of the cache only Relocate is called. <c>_io</c> comes before all of them: one thread at a time does queued changes
/// and asks for extents. <c>_own</c> is innermost and counts writes under way.
/// </para>
/// </remarks>
internal sealed partial class WritableReflinkFile : ReflinkFile, IWritableExtentMap, IPromptCloneableExtentMap
{

    private readonly ReflinkPlacement _placement;
    private readonly Lock _io = new();
    private readonly Lock _shape = new();
    private readonly Lock _own = new();
    private readonly Lock _keeping = new();
    private readonly List<ShapeChange> _queue = [];
    private readonly List<ShapeChange> _cuts = [];

    /// <summary>The ranges with names that were not written but shared, in no order. Under <c>_shape</c>.</summary>
    private List<(long Start, long End)> _shared = [];

    /// <summary>What the file shows and may not have yet. Under <c>_shape</c>.</summary>
    private List<RangeLoan> _loans = [];

    private MappedFile? _keeper;
    private SafeFileHandle? _buffered;
    private int _writesUnderWay;
    private int _owesSync;
    private bool _isGivenUp;

    public WritableReflinkFile(
        ReflinkVolume volume, ReflinkPlacement placement, OriginFile origin, FileSnapshot snapshot, FileId id,
        SecurityDomain domain, ReflinkChangeCheck check)
        : base(volume, origin, snapshot, id, domain, check)
    {
        _placement = placement;
        Mode = origin.Mode;
    }

    public bool IsDeleted { get; private set; }

    /// <summary>The same file for writes through the kernel's page cache: few files are ever written so. Opened by the first one.</summary>
    private SafeFileHandle Buffered
    {
        get
        {
            lock (_keeping)
            {
                return _buffered ??= WritableFile.OpenAgain(Handle);
            }
        }
    }

    /// <summary>The snapshot that this file is the clone of; null for all others.</summary>
    public RangeSnapshot? Lender { get; set; }

    /// <summary>The descriptor, to take ranges from.</summary>
    public SafeFileHandle OpenHandle => Handle;

    /// <summary>
    /// A handle of our own, while there are others: it keeps the file open in the cache until what was written is on the disk.
    /// None for a clone that was made without a handle.
    /// </summary>
    public MappedFile? Keeper => Volatile.Read(ref _keeper);

    /// <summary>Takes the keeper, if there is none yet. Before a handle is given out.</summary>
    public void Keep()
    {
        lock (_keeping)
        {
            Volatile.Write(ref _keeper, _keeper ?? Volume.OpenMapping(this));
        }
    }

    /// <summary>Gives up what was not written: the file stays as it is on the disk.</summary>
    public void GiveUp()
    {
        _isGivenUp = true;
        Keeper?.Delete();
    }

    /// <summary>Gives up all that is dirty of a clone without a handle, and closes it.</summary>
    /// <param name="mapped">Its handle in the cache.</param>
    public void CloseUnnamed(MappedFile mapped)
    {
        _isGivenUp = true;
        try
        {
            mapped.Delete();
        }
        catch (ObjectDisposedException)
        {
            // The cache or the volume is gone.
        }

        mapped.Dispose();
        Volume.Release(this, handle: null);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Under the lock under which the table is exchanged: who has asked for the sequence after it has moved gets the new table. A
    /// publication tells the cache nothing else, so an old answer under the new number would stay.
    /// </remarks>
    protected override ExtentTable TableToTell
    {
        get
        {
            lock (_shape)
            {
                return Table;
            }
        }
    }

    // The hooks: in memory, inside the file's gate and the volume's binding lock.

    /// <inheritdoc/>
    public void SetLength(long newLength)
    {
        ThrowIfRefused();
        lock (_shape)
        {
            var table = Table;
            _isUntouchedClone = false;
            if (newLength >= table.Length && _queue is [.., { Kind: ShapeChangeKind.Grow }])
            {
                _queue[^1] = ShapeChange.Grow(newLength);
            }
            else
            {
                _queue.Add(newLength < table.Length ? ShapeChange.Cut(newLength) : ShapeChange.Grow(newLength));
            }

            Show(table.Replace(newLength < table.Length ? RenamedEnd(table, newLength) : [], newLength, Volume.BlockSize));
        }

        _placement.NoteUnsettled(this);
    }

    /// <inheritdoc/>
    public void PunchHole(long offset, long length)
    {
        ThrowIfRefused();
        lock (_shape)
        {
            var table = Table;
            _isUntouchedClone = false;
            _queue.Add(ShapeChange.Punch(offset, length));
            Show(table.Replace([Extent.Hole(offset, length)], table.Length, Volume.BlockSize));
        }

        _placement.NoteUnsettled(this);
    }

    /// <inheritdoc/>
    public void Delete()
    {
        lock (_shape)
        {
            IsDeleted = true;
            _isUntouchedClone = false;
            _queue.Clear();
            if (!_isGivenUp)
            {
                _queue.Add(ShapeChange.Delete);
            }

            Show(Table.Replace([], 0, Volume.BlockSize));
        }

        _placement.NoteUnsettled(this);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// What is shared must stand still until the file system has shared it: only a snapshot does. Until then the file shows a name for each range, and what is read of
    /// it comes from the snapshot.
    /// </remarks>
    public void CloneRange(IExtentMap source, ReadOnlySpan<SharedRange> ranges, long newLength)
    {
        if (source is not WritableReflinkFile { Lender: { } snapshot })
        {
            throw new NotSupportedException(
                $"'{Path}' lies on a file system that shares ranges by a system call, which no hook may make: use {nameof(ReflinkedFile)}.{nameof(ReflinkedFile.CloneRangeAsync)} or {nameof(ReflinkedFile)}.{nameof(ReflinkedFile.DedupeAsync)}.");
        }

        ThrowIfRefused();
        var (loans, extents) = (new List<RangeLoan>(ranges.Length), new List<Extent>(ranges.Length));
        foreach (var range in ranges)
        {
            var (name, generation) = _placement.NameForLoan(range.Length, Volume.Cached.PageSize);
            loans.Add(new RangeLoan(snapshot, name, generation, range.DestinationOffset, range.SourceOffset));
            extents.Add(loans[^1].ExtentAt(range.DestinationOffset, range.Length));
        }

        loans.ForEach(static loan => loan.Snapshot.Use());
        lock (_shape)
        {
            _isUntouchedClone = false;
            if (newLength > Table.Length)
            {
                _queue.Add(ShapeChange.Grow(newLength));
            }

            for (var i = 0; i < loans.Count; i++)
            {
                _queue.Add(ShapeChange.Share(extents[i].FileOffset, extents[i].Length, loans[i]));
            }

            _loans.AddRange(loans);
            Show(Table.Replace(extents, newLength, Volume.BlockSize));
        }

        _placement.NoteUnsettled(this);
    }

    /// <summary>
    /// The new name of the block in which a cut ends, if it has a place or a name, which other files may have too; what is lent is read
    /// from a snapshot. See the type's remarks.
    /// </summary>
    private Extent[] RenamedEnd(ExtentTable table, long length)
    {
        var start = length & -Volume.BlockSize;
        if (start == length
            || table.Within(start, start + Volume.BlockSize) is not [{ ReadsZero: false, IsOpaque: false } end] || ExtentTable.IsLent(end))
        {
            return [];
        }

        var (name, generation) = _placement.NameFor(Volume.Cached.PageSize);
        return [new Extent(start, Volume.BlockSize, name.Offset, ExtentFlags.None, generation)];
    }

    IExtentMap ICloneableExtentMap.Clone() => throw new NotSupportedException("The file system clones by a system call.");

    /// <inheritdoc/>
    public override void CloseDescriptor()
    {
        ReleaseAll();
        _buffered?.Dispose();
        base.CloseDescriptor();
    }
}
