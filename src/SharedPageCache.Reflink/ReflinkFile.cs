using System.Buffers;
using Microsoft.Win32.SafeHandles;
using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <summary>
/// An open inode as the cache's engine: its descriptor, the extents it had when it was last asked, and what has become of
/// it since. All handles of one inode share one.
/// </summary>
/// <remarks>
/// <para><b>States.</b></para>
/// <code>
///                 another file shows "its" blocks
///   +---------+   and its FIEMAP has changed       +-------+
///   | current | ---------------------------------> | moved |   answers nothing, serves no load;
///   +---------+ &lt;--------------------------------- +-------+   the next question asks FIEMAP again
///     |     |            asked again                 |   |
///     |     +---- the stamp differs ----> +---------+    |
///     |                                   | changed | &lt;--+      refused for good; never a witness
///     |                                   +---------+
///     +--- last handle disposed --------> closed &lt;-- from any state
/// </code>
/// <para>
/// Each step advances <see cref="Sequence"/> after the new state can be seen and before any block is discarded or handed
/// to another: an answer or a load that was made in the old state is thrown away by the cache. New extents are seen under
/// a new number only, as <see cref="IExtentMap.Sequence"/> asks: a file that has moved gives none before it was asked
/// again, and a file that has changed gives none at all.
/// </para>
/// </remarks>
internal class ReflinkFile : IExtentMap
{
    private const long MaxOpaqueBytes = 4 << 20;

    /// <summary>How often a range is read again because the file became longer during the read.</summary>
    private const int MostAttempts = 4;

    private readonly SafeFileHandle _handle;
    private readonly ReflinkChangeCheck _check;
    private readonly int _memoryAlignment;
    private FileSnapshot _snapshot;
    private Finding? _finding;
    private long _sequence;
    private long _ownChanges;
    private long _opaqueBytes;
    private volatile bool _isMoved;
    private volatile bool _isClosed;

    public ReflinkFile(
        ReflinkVolume volume, OriginFile origin, FileSnapshot snapshot, FileId id, SecurityDomain domain, ReflinkChangeCheck check)
    {
        Volume = volume;
        _handle = origin.Handle;
        _check = check;
        _memoryAlignment = origin.MemoryAlignment == 0 ? volume.BlockSize : origin.MemoryAlignment;
        _snapshot = snapshot;
        Path = origin.Path;
        Key = origin.Key;
        Id = id;
        Domain = domain;
    }

    public string Path { get; }

    public ReflinkVolume Volume { get; }

    public FileKey Key { get; }

    /// <summary>The id in the cache; none while an older, changed opening of the same inode holds it.</summary>
    public FileId Id { get; }

    public SecurityDomain Domain { get; }

    public FileSnapshot Snapshot => Volatile.Read(ref _snapshot);

    public ExtentTable Table => Snapshot.Table;

    /// <inheritdoc/>
    public long Sequence => Interlocked.Read(ref _sequence);

    /// <summary>Whether the last handle has gone.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>Whether the file was found changed by somebody else.</summary>
    public bool IsChanged => Volatile.Read(ref _finding) is not null;

    /// <summary>Whether the snapshot is believed: what may vouch for blocks and serve loads.</summary>
    public bool IsCurrent => !_isClosed && !_isMoved && Volatile.Read(ref _finding) is null;

    public bool IsMoved => _isMoved;

    /// <summary>The blocks that the file is counted for. Guarded by the volume's lock.</summary>
    public IReadOnlyList<VolumePiece> Held { get; set; } = [];

    /// <summary>With whom the file is counted for them; null if it is counted for itself. Guarded by the volume's lock.</summary>
    public Twins? Twins { get; set; }

    /// <summary>The open handles. Guarded by the volume's lock.</summary>
    public List<ReflinkedFile> Handles { get; } = [];

    /// <summary>How many openings are under way or done. Guarded by the volume's lock.</summary>
    public int Openings { get; set; } = 1;

    /// <inheritdoc/>
    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        ThrowIfRefused();
        CheckStamp();
        if (_isMoved)
        {
            Volume.Refresh(this);
        }

        TableToTell.CopyTo(offset, length, destination);
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Reads a range of the file around the kernel's page cache and makes sure that it was still the file of the snapshot.
    /// </summary>
    /// <param name="run">The blocks that the range is believed to lie in, or none.</param>
    /// <param name="offset">First byte in the file, a multiple of the block size.</param>
    /// <param name="buffers">Where the bytes go; their lengths add up to a multiple of the block size.</param>
    /// <param name="blocking">Whether to block the calling thread.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of bytes read; bytes past the end of the file read zero.</returns>
    /// <exception cref="ReflinkFileChangedException">The file, or the place of the range, has changed.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public virtual async ValueTask<int> ReadAsync(
        BlockRun run, long offset, IReadOnlyList<Memory<byte>> buffers, bool blocking, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            ThrowIfRefused();
            ThrowIfElsewhere(run, offset);
            var table = Table;
            var reader = new DirectReader(_handle, _memoryAlignment);
            var read = blocking
                ? reader.Read(buffers, offset)
                : await reader.ReadAsync(buffers, offset, cancellationToken).ConfigureAwait(false);
            var length = buffers.TotalLength();
            if (!run.IsSome)
            {
                CountOpaqueRead(length);
            }

            // In this order: whatever changed before the bytes were read is seen by one of the three.
            CheckStamp();
            ThrowIfRefused();
            ThrowIfElsewhere(run, offset);
            if (offset + length > table.Length)
            {
                // Of a file that is to be cut the file system may have more.
                buffers.ClearFrom((int)Math.Max(0, table.Length - offset));
            }

            if (read < length && offset + read >= Math.Min(table.Length, Snapshot.Stamp.Size))
            {
                buffers.ClearFrom(read);
                return length;
            }

            // A short read in the middle is cut to whole blocks, so that the rest begins at one. If none is left, the file ended here
            // when it was read and has been made longer since.
            var whole = read & -Volume.BlockSize;
            if (whole > 0 || attempt == MostAttempts)
            {
                return whole;
            }
        }
    }

    /// <summary>What FIEMAP says of the file at this moment.</summary>
    public List<PhysicalExtent> QueryExtents(long offset, long length, bool sync) =>
        ExtentQuery.Read(_handle, Path, offset, length, sync);

    /// <summary>Takes a new snapshot of the file.</summary>
    /// <exception cref="ReflinkFileChangedException">The stamp has changed since the current one.</exception>
    public FileSnapshot TakeSnapshot()
    {
        ThrowIfRefused();
        CheckStamp();
        var fresh = FileSnapshot.Take(_handle, Path, Volume.BlockSize);
        CheckStamp();
        return fresh;
    }

    /// <summary>
    /// Whether the file shows runs of the volume at this moment, as its snapshot says: what makes it their witness. Under
    /// the volume's lock.
    /// </summary>
    /// <param name="runs">Runs that the snapshot shows, or has shown.</param>
    public bool VouchesFor(IReadOnlyList<BlockRun> runs)
    {
        if (!IsCurrent)
        {
            return false;
        }

        try
        {
            CheckStamp();
            if (PartsOf(runs) is not { } parts)
            {
                return false;
            }

            var from = parts.Min(static part => part.FileOffset);
            var to = parts.Max(static part => part.FileOffset + part.Length);
            var raw = QueryExtents(from, to - from, sync: false);
            var fresh = ExtentTable.From(raw, Table.Length, Volume.BlockSize);
            foreach (var part in parts)
            {
                if (!fresh.Shows(part.FileOffset, new BlockRun(part.PhysicalOffset, part.Length)))
                {
                    MarkMoved();
                    return false;
                }
            }

            CheckStamp();
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A file that cannot be asked vouches for nothing; who reads it meets the error itself.
            return false;
        }
    }

    /// <summary>Puts a new snapshot in place: the file is current again. Under the volume's lock.</summary>
    public void Replace(FileSnapshot snapshot)
    {
        Volatile.Write(ref _snapshot, snapshot);
        _isMoved = false;
        Interlocked.Increment(ref _sequence);
    }

    /// <summary>The snapshot's extents are not believed any more. Under the volume's lock.</summary>
    public void MarkMoved()
    {
        _isMoved = true;
        Interlocked.Increment(ref _sequence);
    }

    /// <summary>The last handle has gone: no answer and no load begins any more. Under the volume's lock.</summary>
    public void MarkClosed()
    {
        _isClosed = true;
        Interlocked.Increment(ref _sequence);
    }

    /// <summary>Closes the descriptor once the reads under way have returned.</summary>
    public virtual void CloseDescriptor()
    {
        DropKernelCopy();
        _handle.Dispose();
    }

    /// <summary>Compares the stamp of a fresh look with the snapshot's.</summary>
    /// <returns>Whether it is the same content.</returns>
    public bool Accepts(FileStamp fresh) => Accepts(fresh, Interlocked.Read(ref _ownChanges));

    /// <summary>Refuses the file if it was found changed or is closed.</summary>
    public void ThrowIfRefused()
    {
        ObjectDisposedException.ThrowIf(_isClosed, typeof(ReflinkedFile));
        if (Volatile.Read(ref _finding) is { } finding)
        {
            throw new ReflinkFileChangedException(Path, finding.Changes, finding.Description);
        }
    }

    public override string ToString() => Path;

    /// <summary>Looks whether somebody else has changed the file.</summary>
    /// <remarks>
    /// <see cref="_ownChanges"/> is odd while this process itself changes the file: its times move then, and no look is worth
    /// anything. The number is read (a full fence) before the look and after the comparison; if both are the same and even,
    /// nothing of our own came between, and the stamp that was compared with is of before the look.
    /// </remarks>
    /// <returns>What was seen.</returns>
    /// <exception cref="ReflinkFileChangedException">Somebody has.</exception>
    protected FileStatus CheckStamp()
    {
        var changes = Interlocked.Read(ref _ownChanges);
        var status = FileStatus.Of(_handle, Path);
        if ((changes & 1) == 0 && !Accepts(status.Stamp, changes))
        {
            ThrowIfRefused();
        }

        return status;
    }

    /// <summary>From here on the file's times move because of this process. Not while it is so already.</summary>
    protected void EnterOwnChange() => Interlocked.Increment(ref _ownChanges);

    /// <summary>The file's times stand still again: what they are now is what they are compared with.</summary>
    protected void LeaveOwnChange()
    {
        try
        {
            var stamp = FileStatus.Of(_handle, Path).Stamp;
            Update(snapshot => snapshot with { Stamp = stamp });
        }
        catch (ObjectDisposedException)
        {
            // Closed meanwhile: there is nothing to compare any more.
        }
        finally
        {
            Interlocked.Increment(ref _ownChanges);
        }
    }

    /// <summary>Moves the sequence, then shows other extents: <see cref="IExtentMap.Sequence"/> asks for this order.</summary>
    protected void Show(ExtentTable table)
    {
        Advance();
        Update(snapshot => snapshot with { Table = table });
    }

    protected void Advance() => Interlocked.Increment(ref _sequence);

    protected void NoteFound() => _isMoved = false;

    /// <summary>The table that an answer is made of.</summary>
    protected virtual ExtentTable TableToTell => Table;

    protected SafeFileHandle Handle => _handle;

    protected int MemoryAlignment => _memoryAlignment;

    /// <summary>Stamp and extents are changed by different threads: each keeps what the other did.</summary>
    private void Update(Func<FileSnapshot, FileSnapshot> change)
    {
        while (true)
        {
            var snapshot = Snapshot;
            if (Interlocked.CompareExchange(ref _snapshot, change(snapshot), snapshot) == snapshot)
            {
                return;
            }
        }
    }

    private bool Accepts(FileStamp fresh, long ownChanges)
    {
        var snapshot = Snapshot;
        if (fresh == snapshot.Stamp)
        {
            return true;
        }

        if (Interlocked.Read(ref _ownChanges) != ownChanges)
        {
            return true;
        }

        var changes = snapshot.Stamp.ChangesTo(fresh, _check);
        if (changes == ReflinkChanges.None)
        {
            Interlocked.CompareExchange(ref _snapshot, snapshot with { Stamp = fresh }, snapshot);
            return true;
        }

        if (Interlocked.CompareExchange(
            ref _finding, new Finding(changes, snapshot.Stamp.DescribeChangesTo(fresh)), null) is null)
        {
            Interlocked.Increment(ref _sequence);
            ReflinkVolume.InvalidateLater(this);
        }

        return false;
    }

    protected void ThrowIfElsewhere(BlockRun run, long offset)
    {
        if (run.IsSome && (_isMoved || !Table.Shows(offset, Table.UpToEnd(offset, run, Volume.BlockSize))))
        {
            throw new ReflinkFileChangedException(
                Path, ReflinkChanges.Extents, $"its bytes from {offset} on no longer lie at {run} of the volume");
        }
    }

    /// <summary>
    /// Opaque bytes are decoded in the kernel's page cache. It is emptied now and then, not after each read: a compressed
    /// extent is decoded as a whole, for whichever page of it is read.
    /// </summary>
    private void CountOpaqueRead(int length)
    {
        if (Interlocked.Add(ref _opaqueBytes, length) >= MaxOpaqueBytes)
        {
            DropKernelCopy();
        }
    }

    private void DropKernelCopy()
    {
        if (Interlocked.Exchange(ref _opaqueBytes, 0) > 0)
        {
            DirectFile.DropKernelCopy(_handle);
        }
    }

    /// <summary>Where the file shows runs; null if it does not show all of them (any more).</summary>
    private List<VolumePiece>? PartsOf(IReadOnlyList<BlockRun> runs)
    {
        var table = Table;
        var parts = new List<VolumePiece>(runs.Count);
        foreach (var run in runs)
        {
            for (var at = run.Offset; at < run.End;)
            {
                if (table.FindPiece(at) is not { } piece)
                {
                    return null;
                }

                var end = Math.Min(piece.End, run.End);
                parts.Add(new VolumePiece(at, end - at, piece.FileOffset + (at - piece.PhysicalOffset)));
                at = end;
            }
        }

        return parts;
    }

    /// <summary>Why the file is refused.</summary>
    private sealed record Finding(ReflinkChanges Changes, string Description);
}
