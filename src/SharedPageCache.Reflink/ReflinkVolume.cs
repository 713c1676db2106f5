using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <summary>
/// One file system: its volume in the cache, its open files, and who vouches for which blocks.
/// </summary>
/// <remarks>
/// <para>
/// <b>Promise.</b> What the cache holds of a block is the content of every open, current file that shows the block. A
/// block that no open file shows is not in the cache.
/// </para>
/// <para>
/// <b>Why it holds.</b> File systems with reflinks never overwrite a block that two files show, and give a block out again
/// only when no file shows it. So a block's content stands still for as long as one and the same unchanged file shows it.
/// For each block that is shown, the ledger names such a file, its witness. A block comes in
/// </para>
/// <list type="bullet">
/// <item>with a count of zero: nothing of it is cached (the last close has discarded it), the newcomer is its witness;</item>
/// <item>with a witness: the witness is asked whether it is unchanged and still shows the block (stamp and FIEMAP, both
/// after the newcomer's own FIEMAP). If so, both show one block at one moment, and what is cached is the content of both;
/// </item>
/// <item>with a witness that has gone or fails: another file that shows the block is asked. If none is left, the block is
/// discarded and the newcomer is its witness. Files that still believe in the block are asked for their extents again by
/// the cache, since their leaves are older than the discard, and are found changed or moved there.</item>
/// </list>
/// <para>
/// A load is read through a file that shows the block, whose stamp is compared after the bytes have arrived; a discard
/// that comes between kills the load.
/// </para>
/// <para>
/// <b>Lock.</b> One, over all of that. Under it the only call into the cache is Discard, which takes no gate and waits for
/// nothing; extents are answered and loads are served without it.
/// </para>
/// </remarks>
internal sealed partial class ReflinkVolume
{
    private readonly Lock _lock = new();
    private readonly RunLedger<ReflinkFile> _ledger = new();
    private readonly Dictionary<FileKey, ReflinkFile> _named = [];
    private readonly List<ReflinkFile> _open = [];
    private readonly ReflinkChangeCheck _check;
    private long _cloneFlushes;

    public ReflinkVolume(PageCache cache, FileSystemStatus fileSystem, ReflinkChangeCheck check, bool allowsWriting)
    {
        _check = check;
        FileSystem = fileSystem;

        // A page is what is written; the file system writes no less than a block.
        Placement = allowsWriting && cache.Options.PageSize >= BlockSize ? new ReflinkPlacement() : null;
        Cached = cache.AttachVolume(
            new ReflinkDevice(this, BlockSize),
            new VolumeOptions { Id = fileSystem.Identity, Name = Name, Placement = Placement });
    }

    public FileSystemStatus FileSystem { get; }

    public string Name => FileSystem.Name;

    public int BlockSize => FileSystem.BlockSize;

    public CachedVolume Cached { get; }

    /// <summary>How often clones were made durable: flushes of a file, and of the file system for many.</summary>
    public long CloneFlushes => Interlocked.Read(ref _cloneFlushes);

    /// <summary>Files for the next clones, while there are open files.</summary>
    public SpareFiles Spares { get; } = new();

    /// <summary>The write-back of the volume; null if its files are only read.</summary>
    public ReflinkPlacement? Placement { get; }

    /// <summary>
    /// Takes an opened file in: the file itself, or the one that is open for the same inode already.
    /// </summary>
    /// <returns>The file, with one opening more; null if it changed since its snapshot, which must be taken again.</returns>
    public ReflinkFile? Admit(OriginFile origin, FileSnapshot snapshot, SecurityDomain domain)
    {
        lock (_lock)
        {
            var now = FileStatus.Of(origin.Handle, origin.Path).Stamp;
            if (now != snapshot.Stamp)
            {
                return null;
            }

            if (_named.TryGetValue(origin.Key, out var known) && known is not WritableReflinkFile
                && known.Domain == domain && known.Accepts(now) && TryRefresh(known, snapshot))
            {
                known.Openings++;
                origin.Handle.Dispose();
                return known;
            }

            // The name in the cache stays with an opening that was found changed, until its handles are gone.
            var id = known is null ? origin.Key.Id : FileId.None;
            return Enter(new ReflinkFile(this, origin, snapshot, id, domain, _check));
        }
    }

    public void NoteCloneFlush() => Interlocked.Increment(ref _cloneFlushes);

    public void AddHandle(ReflinkFile file, ReflinkedFile handle)
    {
        lock (_lock)
        {
            file.Handles.Add(handle);
        }
    }

    /// <summary>Takes one opening back; the last one lets go of the blocks and closes the descriptor.</summary>
    public void Release(ReflinkFile file, ReflinkedFile? handle)
    {
        lock (_lock)
        {
            if (handle is not null)
            {
                file.Handles.Remove(handle);
            }

            if (--file.Openings > 0)
            {
                return;
            }

            if (file is not WritableReflinkFile)
            {
                Close(file);
            }
        }

        if (file is WritableReflinkFile written)
        {
            Retire(written);
        }
        else
        {
            file.CloseDescriptor();
        }
    }

    /// <summary>Asks a file for its extents again and exchanges what it holds.</summary>
    /// <exception cref="ReflinkFileChangedException">The file has changed.</exception>
    public void Refresh(ReflinkFile file)
    {
        if (file is WritableReflinkFile written)
        {
            written.Refresh();
            return;
        }

        lock (_lock)
        {
            RefreshLocked(file);
        }
    }

    /// <summary>
    /// Drops the pages of a changed file from its handles, so that reads that could hit are refused too. Not at once: the
    /// change is found inside calls of the cache, which must not be called back from there.
    /// </summary>
    public static void InvalidateLater(ReflinkFile file) =>
        ThreadPool.UnsafeQueueUserWorkItem(static file => file.Volume.Invalidate(file), file, preferLocal: false);

    /// <summary>Drops the pages of a file from its handles.</summary>
    public void Invalidate(ReflinkFile file)
    {
        ReflinkedFile[] handles;
        lock (_lock)
        {
            handles = [.. file.Handles];
        }

        foreach (var handle in handles)
        {
            handle.InvalidatePages();
        }
    }

    /// <summary>Checks the ledger against the open files.</summary>
    /// <exception cref="InvalidOperationException">They disagree.</exception>
    public void Verify()
    {
        lock (_lock)
        {
            _ledger.Verify();
            var expected = new RunLedger<object>();
            var counted = new HashSet<Twins>(ReferenceEqualityComparer.Instance);
            foreach (var file in _open)
            {
                if (file.Twins is { } twins && !counted.Add(twins))
                {
                    continue;
                }

                foreach (var piece in file.Held)
                {
                    expected.Add(piece.PhysicalOffset, piece.End, this);
                }
            }

            var bytes = _ledger.ToList().Sum(static segment => (segment.End - segment.Start) * segment.Count);
            var expectedBytes = expected.ToList().Sum(static segment => (segment.End - segment.Start) * segment.Count);
            if (bytes != expectedBytes)
            {
                throw new InvalidOperationException(
                    $"The ledger of {Name} counts {bytes} bytes, the open files show {expectedBytes}.");
            }
        }
    }

    /// <summary>Takes a file in and counts it for its blocks. Under the lock.</summary>
    private T Enter<T>(T file)
        where T : ReflinkFile
    {
        var pieces = file.Table.Pieces;
        Hold(file, pieces);
        return Enter(file, pieces);
    }

    /// <summary>Takes a file in that is counted for its blocks. Under the lock.</summary>
    private T Enter<T>(T file, VolumePiece[] pieces)
        where T : ReflinkFile
    {
        file.Held = pieces;
        _open.Add(file);
        if (!file.Id.IsNone)
        {
            _named.Add(file.Key, file);
        }

        return file;
    }

    /// <summary>A file is closed: it stops answering and being counted. Under the lock.</summary>
    private void Close(ReflinkFile file)
    {
        file.MarkClosed();
        _open.Remove(file);
        if (_named.GetValueOrDefault(file.Key) == file)
        {
            _named.Remove(file.Key);
        }

        if (file.Twins?.Leave(file) is { } other)
        {
            foreach (var piece in file.Held)
            {
                _ledger.ReplaceWitness(piece.PhysicalOffset, piece.End, file, other);
            }
        }
        else
        {
            LetGo(file, file.Held);
        }

        file.Held = [];
        if (_open.Count == 0)
        {
            Spares.Clear();
        }
    }

    /// <summary>From here on a file is counted for itself. Under the lock, before what it shows changes.</summary>
    private void CountAlone(ReflinkFile file)
    {
        if (file.Twins?.Leave(file) is not null)
        {
            foreach (var piece in file.Held)
            {
                _ledger.Add(piece.PhysicalOffset, piece.End, file);
            }
        }
    }

    /// <summary>Brings a file that is open already up to a fresh snapshot, if it is not.</summary>
    private bool TryRefresh(ReflinkFile known, FileSnapshot fresh)
    {
        if (!known.IsMoved && known.Table.SameAs(fresh.Table))
        {
            return true;
        }

        try
        {
            RefreshLocked(known);
            return true;
        }
        catch (ReflinkFileChangedException)
        {
            return false;
        }
    }

    private void RefreshLocked(ReflinkFile file)
    {
        var snapshot = file.TakeSnapshot();
        if (!file.IsMoved && file.Table.SameAs(snapshot.Table))
        {
            return;
        }

        // Moved first: from here on the old extents answer nothing, so nothing comes in for blocks that are let go.
        file.MarkMoved();
        LetGo(file, file.Held);
        file.Held = [];
        Hold(file, snapshot.Table.Pieces);
        file.Held = snapshot.Table.Pieces;
        file.Replace(snapshot);
    }

    /// <summary>Counts a file for its blocks and makes sure that what is cached of them is its content.</summary>
    private void Hold(ReflinkFile file, IReadOnlyList<VolumePiece> pieces)
    {
        var shown = new List<RunLedger<ReflinkFile>.Segment>();
        foreach (var piece in pieces)
        {
            _ledger.FindOverlaps(piece.PhysicalOffset, piece.End, shown);
        }

        var doubtful = new List<BlockRun>();
        foreach (var group in shown.GroupBy(static segment => segment.Witness))
        {
            List<BlockRun> runs = [.. group.Select(static segment => new BlockRun(segment.Start, segment.End - segment.Start))];
            if (group.Key is null || !group.Key.VouchesFor(runs))
            {
                doubtful.AddRange(runs);
            }
        }

        foreach (var piece in pieces)
        {
            _ledger.Add(piece.PhysicalOffset, piece.End, file);
        }

        foreach (var witness in _open)
        {
            if (doubtful.Count == 0)
            {
                return;
            }

            Appoint(witness, file, doubtful);
        }

        foreach (var run in doubtful)
        {
            Discard(run);
            _ledger.SetWitness(run.Offset, run.End, file);
        }
    }

    /// <summary>Makes a file the witness of those doubtful runs that it vouches for.</summary>
    private void Appoint(ReflinkFile witness, ReflinkFile newcomer, List<BlockRun> doubtful)
    {
        if (witness == newcomer || !witness.IsCurrent)
        {
            return;
        }

        var runs = doubtful.FindAll(witness.Table.ShowsSomewhere);
        if (runs.Count == 0 || !witness.VouchesFor(runs))
        {
            return;
        }

        var settled = runs.ToHashSet();
        doubtful.RemoveAll(settled.Contains);
        foreach (var run in runs)
        {
            _ledger.SetWitness(run.Offset, run.End, witness);
        }
    }

    /// <summary>Stops counting a file for its blocks and discards those that nobody shows any more.</summary>
    private void LetGo(ReflinkFile file, IReadOnlyList<VolumePiece> pieces)
    {
        var freed = new List<RunLedger<ReflinkFile>.Segment>();
        foreach (var piece in pieces)
        {
            _ledger.Remove(piece.PhysicalOffset, piece.End, file, freed);
        }

        foreach (var segment in freed)
        {
            Discard(new BlockRun(segment.Start, segment.End - segment.Start));
        }
    }

    private void Discard(BlockRun run)
    {
        try
        {
            Cached.Discard(run);
        }
        catch (ObjectDisposedException)
        {
            // The cache is gone, with all that it held.
        }
    }
}
