using SharedPageCache.Cow.Native;
using SharedPageCache.Cow.Space;
using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow.Disk;

/// <summary>Makes the state in memory durable, one commit at a time.</summary>
/// <remarks>
/// <para>A commit of generation g:</para>
/// <list type="number">
/// <item>Snapshot, under the lock: the tree of files gets new records for the files that changed, and the volume's
/// generation goes up. From here on everything that the snapshot leads to is frozen (see <see cref="MetaBlock"/>), and what
/// hooks and Publish do is part of g + 1.</item>
/// <item>Every piece without an address gets one, under the lock.</item>
/// <item>The pieces that are not durable are written, children before parents, with no lock; then the device is
/// flushed. Nothing that a superblock leads to has been overwritten: the addresses were free.</item>
/// <item>The superblock is written over the <i>older</i> one, and the device is flushed. This is the moment of the
/// commit: before it the disk holds g - 1 as it was, after it g.</item>
/// <item>Blocks that neither superblock needs are discarded and become free.</item>
/// </list>
/// <para>
/// Content needs no step here: the cache flushes the device between writing a run and publishing it, so whatever a
/// snapshot shows is durable already.
/// </para>
/// <para>
/// <b>Failure.</b> If a step throws, the snapshot stays owed, because nothing counts as durable that was not
/// acknowledged: the next commit takes a new snapshot, which leads to the same pieces, and writes those again that it
/// still needs. A superblock of which nobody knows whether it reached the disk may be there: it is a whole state all the
/// same, and all that it leads to stays untouched, since blocks are freed by what is <i>known</i> of both superblocks. The next
/// attempt writes over the same slot, never over the one that is known to be good.
/// </para>
/// <para>
/// <b>Many callers, few commits.</b> A caller waits for its turn and then looks whether a commit that began after its
/// call has done its work; so all who came during one commit share the next.
/// </para>
/// </remarks>
internal sealed class Committer
{
    private const int BatchBytes = 1 << 20;

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly VolumeState _state;
    private readonly BlockStore _store;
    private readonly Action<Run> _discard;

    /// <summary>For each superblock, the newest generation of which it is known that it leads to nothing that was given up before.</summary>
    private readonly long[] _known;
    private int _slot;

    /// <summary>Whether both superblocks are the same.</summary>
    private bool _isMirrored = true;
    private FileTree _durableFiles;
    private long _durableChanges;
    private long _commits;
    private long _metadataBlocksWritten;

    public Committer(VolumeState state, BlockStore store, Superblock superblock, Action<Run> discard)
    {
        _state = state;
        _store = store;
        _discard = discard;
        Durable = superblock;
        _durableFiles = state.Table;

        // Opening has written the chosen state into both slots.
        _known = [superblock.Generation, superblock.Generation];
    }

    /// <summary>The newest state that is known to be on disk. Changes in a turn and under the volume's lock.</summary>
    public Superblock Durable { get; private set; }

    /// <summary>The slot of <see cref="Durable"/>.</summary>
    public int DurableSlot => _slot;

    /// <summary>Whether writing the other slot failed, so that nobody knows what it holds.</summary>
    public bool IsOtherSlotUncertain { get; private set; }

    public long Commits => Volatile.Read(ref _commits);

    public long MetadataBlocksWritten => Volatile.Read(ref _metadataBlocksWritten);

    /// <summary>Makes all changes durable that were made before the call.</summary>
    public Task CommitAsync(CancellationToken cancellationToken)
    {
        long wanted;
        lock (_state.Lock)
        {
            _state.ThrowIfDisposed();
            wanted = _state.Changes;
        }

        // Cancellation ends the wait; the commit goes on for the others.
        return InTurnAsync(wanted, andReclaim: false).WaitAsync(cancellationToken);
    }

    /// <summary>Commits, and brings the older superblock up to date too, so that every pending block becomes free.</summary>
    public Task ReclaimAsync(CancellationToken cancellationToken) =>
        InTurnAsync(long.MaxValue, andReclaim: true).WaitAsync(cancellationToken);

    /// <summary>Waits for the commit that is under way and keeps the next from beginning.</summary>
    public async ValueTask<Turn> EnterAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        return new Turn(_turn);
    }

    /// <inheritdoc cref="EnterAsync"/>
    public Turn Enter()
    {
        _turn.Wait();
        return new Turn(_turn);
    }

    private async Task InTurnAsync(long wanted, bool andReclaim)
    {
        using var turn = await EnterAsync().ConfigureAwait(false);
        if (_durableChanges < wanted)
        {
            await CommitAsync().ConfigureAwait(false);
        }

        if (andReclaim)
        {
            await MirrorAsync().ConfigureAwait(false);
        }
    }

    private async Task CommitAsync()
    {
        Snapshot snapshot;
        lock (_state.Lock)
        {
            _state.ThrowIfDisposed();
            snapshot = _state.TakeSnapshot();
        }

        if (ReferenceEquals(snapshot.Files.Root, _durableFiles.Root))
        {
            // Only anonymous files changed: the disk knows nothing of them, and holds this state already.
            _durableChanges = snapshot.Changes;
            Learn(snapshot.Generation);
            Sweep();
            return;
        }

        var pieces = Unwritten(snapshot.Files.Root);
        await PlaceAsync(pieces).ConfigureAwait(false);
        await WriteAsync(pieces).ConfigureAwait(false);
        await _store.FlushAsync().ConfigureAwait(false);
        foreach (var piece in pieces)
        {
            piece.IsWritten = true;
        }

        var root = snapshot.Files.Root;
        await WriteOlderSuperblockAsync(Durable with
        {
            Generation = snapshot.Generation,
            NextFile = snapshot.NextFile,
            RootBlock = root?.Block ?? 0,
            RootChecksum = root?.Checksum ?? 0,
            RootLevel = snapshot.Files.Level,
        }).ConfigureAwait(false);
        Learn(snapshot.Generation);
        _durableFiles = snapshot.Files;
        _durableChanges = snapshot.Changes;
        Volatile.Write(ref _commits, _commits + 1);
        Sweep();
    }

    /// <summary>Writes a state over the older superblock, which becomes the newest.</summary>
    private async Task WriteOlderSuperblockAsync(Superblock superblock)
    {
        var slot = 1 - _slot;
        _isMirrored = false;
        IsOtherSlotUncertain = true;
        await _store.WriteAsync(superblock, slot).ConfigureAwait(false);
        IsOtherSlotUncertain = false;
        lock (_state.Lock)
        {
            _slot = slot;
            Durable = superblock;
        }
    }

    /// <summary>The newest superblock leads to nothing that a generation does without.</summary>
    private void Learn(long generation)
    {
        _known[_slot] = generation;
        if (_isMirrored)
        {
            _known[1 - _slot] = generation;
        }
    }

    /// <summary>Makes the older superblock a copy of the newest.</summary>
    private async Task MirrorAsync()
    {
        if (!_isMirrored)
        {
            var known = _known[_slot];
            await WriteOlderSuperblockAsync(Durable).ConfigureAwait(false);
            _isMirrored = true;
            Learn(known);
        }

        Sweep();
    }

    /// <summary>Gives addresses. A full volume gets a second chance: what only the older superblock needs is freed.</summary>
    private async Task PlaceAsync(List<MetaBlock> pieces)
    {
        try
        {
            Place();
        }
        catch (VolumeFullException) when (!_isMirrored)
        {
            await MirrorAsync().ConfigureAwait(false);
            Place();
        }

        void Place()
        {
            lock (_state.Lock)
            {
                _state.Space.PlaceMetadata(pieces);
            }
        }
    }

    private async Task WriteAsync(List<MetaBlock> pieces)
    {
        using var memory = new AlignedMemory((int)Math.Min(BatchBytes, (long)Math.Max(1, pieces.Count) * _store.BlockSize));
        var buffer = memory.Memory;
        var size = _store.BlockSize;
        for (var next = 0; next < pieces.Count;)
        {
            var first = next;
            var bytes = 0;
            do
            {
                NodeFormat.Encode(pieces[next++], buffer.Span.Slice(bytes, size));
                bytes += size;
            }
            while (next < pieces.Count && bytes < buffer.Length && pieces[next].Block == pieces[next - 1].Block + 1);

            await _store.WriteAsync(pieces[first].Block * size, buffer[..bytes]).ConfigureAwait(false);
            Volatile.Write(ref _metadataBlocksWritten, _metadataBlocksWritten + (next - first));
        }
    }

    /// <summary>Discards and frees what neither superblock needs.</summary>
    private void Sweep()
    {
        List<Run> swept;
        lock (_state.Lock)
        {
            swept = _state.Space.Sweep(Math.Min(_known[0], _known[1]));
        }

        var done = 0;
        try
        {
            // Not under the lock: nothing of ours is held while the cache is called, and the runs are nobody's meanwhile.
            for (; done < swept.Count; done++)
            {
                _discard(swept[done]);
                lock (_state.Lock)
                {
                    _state.Space.Free(swept[done]);
                }
            }
        }
        finally
        {
            lock (_state.Lock)
            {
                swept.Skip(done).ToList().ForEach(_state.Space.Postpone);
            }
        }
    }

    /// <summary>The pieces below a root that are not durable, children before parents.</summary>
    private static List<MetaBlock> Unwritten(MetaBlock? root)
    {
        var found = new List<MetaBlock>();
        var seen = new HashSet<MetaBlock>(ReferenceEqualityComparer.Instance);
        Visit(root);
        return found;

        void Visit(MetaBlock? piece)
        {
            // What is durable leads to what is durable only: it was written after its children and never changed.
            if (piece is null || piece.IsWritten || !seen.Add(piece))
            {
                return;
            }

            if (piece is InnerNode inner)
            {
                Array.ForEach(inner.Children, Visit);
            }
            else if (piece is FileRecord record)
            {
                Visit(record.Tree.Root);
            }

            found.Add(piece);
        }
    }

    /// <summary>The right to change what is on disk; given back by disposing it.</summary>
    internal readonly struct Turn(SemaphoreSlim semaphore) : IDisposable
    {
        public void Dispose() => semaphore.Release();
    }
}
