using System.Buffers;
using SharedPageCache.Cow.Disk;
using SharedPageCache.Cow.Space;

namespace SharedPageCache.Cow;

/// <summary>The write-back port of a volume: every dirty run gets new blocks, near the ones that it replaces.</summary>
internal sealed class CowPlacement(
    VolumeState state, Committer committer, int blockSize, Func<Lsn, CancellationToken, ValueTask>? ensureDurable) : IPlacementEngine
{
    private long _grain = 1;

    /// <summary>Makes runs whole, aligned pages where they can be; pages of several sizes may be written here.</summary>
    public void UsePages(int pageSize)
    {
        lock (state.Lock)
        {
            _grain = Math.Max(_grain, pageSize / blockSize);
        }
    }

    public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken) =>
        ensureDurable?.Invoke(lsn, cancellationToken)
        ?? throw new InvalidOperationException(
            $"A page carries {lsn}, but the volume {state.Name} was given no log: set CowVolumeOptions.EnsureDurable.");

    public async ValueTask PlaceAsync(
        ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(placed);
        if (!TryPlace(dirty.Span, out var answer, out var full, out var isWorthAnotherTry) && isWorthAnotherTry)
        {
            // What was given up has to leave both superblocks before it can be used again, and how much room the metadata
            // takes is known exactly when it is placed.
            await committer.ReclaimAsync(cancellationToken).ConfigureAwait(false);
            TryPlace(dirty.Span, out answer, out full, out _);
        }

        placed.Write(answer ?? throw full!);
    }

    public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners)
    {
        var blocks = Blocks(run);
        lock (state.Lock)
        {
            CheckPlaced(blocks);
            CheckOwners(blocks, owners);
            Announce(owners);
            foreach (var owner in owners)
            {
                ((CowFile)owner.File).Bind(blocks, owner.FileOffset);
            }

            state.Space.Published(blocks);
        }
    }

    public ValueTask PersistAsync(CancellationToken cancellationToken) => new(committer.CommitAsync(cancellationToken));

    public void Abandon(BlockRun run)
    {
        var blocks = Blocks(run);
        lock (state.Lock)
        {
            CheckPlaced(blocks);
            state.Space.Abandon(blocks);
        }
    }

    private bool TryPlace(
        ReadOnlySpan<DirtyRun> dirty, out PlacedRun[]? answer, out VolumeFullException? full, out bool isWorthAnotherTry)
    {
        var runs = new List<Run>();
        answer = null;
        full = null;
        lock (state.Lock)
        {
            state.ThrowIfDisposed();
            isWorthAnotherTry = state.Space.HasPending || state.Space.HasUnplaced;
            var (needed, metadata) = (0L, 0L);
            foreach (var run in dirty)
            {
                var count = CheckLength(run.Length);
                needed += count;

                // In each file the leaves of the run, and a node above them.
                metadata += Math.Max(1, run.Owners.Length) * ((count / state.Trees.Shape.FanOut) + 2);
            }

            if (!state.Space.HasRoom(needed, metadata))
            {
                full = new VolumeFullException(needed, state.Space.FreeBlocks, "content");
                return false;
            }

            foreach (var run in dirty)
            {
                var near = run.Replaces.IsSome ? run.Replaces.End / blockSize : 0;
                var count = run.Length / blockSize;
                if (!state.Space.TryPlace(count, near, Math.Min(_grain, count & -count), runs))
                {
                    runs.ForEach(state.Space.Abandon);
                    full = new VolumeFullException(needed, state.Space.FreeBlocks, "content");
                    return false;
                }
            }
        }

        answer = [.. runs.Select(run => new PlacedRun(new BlockRun(run.Start * blockSize, run.Count * blockSize)))];
        return true;
    }

    private long CheckLength(long length) =>
        length > 0 && length % blockSize == 0
            ? length / blockSize
            : throw new ArgumentException($"A dirty run of {length} bytes is no whole number of blocks of {blockSize} bytes.");

    private Run Blocks(BlockRun run)
    {
        if (run.Offset < 0 || run.Length <= 0 || ((run.Offset | run.Length) & (blockSize - 1)) != 0)
        {
            throw new ArgumentException($"{run} is no run of blocks of {blockSize} bytes.", nameof(run));
        }

        return new Run(run.Offset / blockSize, run.Length / blockSize);
    }

    private void CheckPlaced(Run blocks)
    {
        state.ThrowIfDisposed();
        if (!state.Space.IsPlaced(blocks))
        {
            throw new InvalidOperationException($"{blocks} were not placed, or were published or abandoned already.");
        }
    }

    /// <summary>Everything that could go wrong, looked at before anything is changed.</summary>
    private void CheckOwners(Run blocks, ReadOnlySpan<RunOwner> owners)
    {
        if (owners.IsEmpty)
        {
            throw new ArgumentException("A run without owners is abandoned, not published.", nameof(owners));
        }

        foreach (var owner in owners)
        {
            if (owner.File is not CowFile file || !file.BelongsTo(state))
            {
                throw new ArgumentException($"An owner of {blocks} is no file of the volume {state.Name}.", nameof(owners));
            }

            file.ThrowIfGone();
            if (owner.FileOffset < 0 || (owner.FileOffset & (blockSize - 1)) != 0 || owner.FileOffset >= file.Length)
            {
                throw new ArgumentException(
                    $"{blocks} cannot be shown at {owner.FileOffset} of file {file}: not in the file, or unaligned.", nameof(owners));
            }
        }

        CheckOverlaps(blocks, owners);
    }

    /// <summary>One change for each file, at however many places it shows the run.</summary>
    private static void Announce(ReadOnlySpan<RunOwner> owners)
    {
        if (owners.Length == 1)
        {
            ((CowFile)owners[0].File).Changing();
            return;
        }

        var files = new HashSet<IExtentMap>(ReferenceEqualityComparer.Instance);
        foreach (var owner in owners)
        {
            if (files.Add(owner.File))
            {
                ((CowFile)owner.File).Changing();
            }
        }
    }

    private void CheckOverlaps(Run blocks, ReadOnlySpan<RunOwner> owners)
    {
        if (owners.Length == 1)
        {
            return;
        }

        var sorted = owners.ToArray();
        Array.Sort(sorted, static (a, b) =>
            ((CowFile)a.File).Number.CompareTo(((CowFile)b.File).Number) is var order and not 0
                ? order
                : a.FileOffset.CompareTo(b.FileOffset));
        for (var i = 1; i < sorted.Length; i++)
        {
            if (sorted[i].File == sorted[i - 1].File
                && sorted[i].FileOffset - sorted[i - 1].FileOffset < blocks.Count * blockSize)
            {
                throw new ArgumentException(
                    $"{blocks} are to be shown twice by file {sorted[i].File}, at overlapping places.", nameof(owners));
            }
        }
    }
}
