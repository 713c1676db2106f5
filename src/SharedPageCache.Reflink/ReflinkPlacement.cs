using System.Buffers;

namespace SharedPageCache.Reflink;

/// <summary>
/// The write-back port of a file system, which chooses its blocks itself: Place gives each dirty run a name that nothing
/// else has, the device writes it to the files that show it, and Persist finds out where it has come to lie.
/// </summary>
/// <remarks>
/// Thread-safe. <c>_lock</c> guards the lists and is held for no longer than it takes to look into them. A file that
/// fails fails alone: its runs are placed all the same, and their writes fail.
/// </remarks>
internal sealed class ReflinkPlacement : IPlacementEngine
{
    private readonly Lock _lock = new();
    private readonly HashSet<WritableReflinkFile> _unsettled = [];
    private readonly HashSet<WritableReflinkFile> _written = [];
    private readonly Dictionary<WritableReflinkFile, Exception> _refused = [];
    private List<StagedRun> _batch = [];
    private long _next = ExtentTable.FirstStaged;

    /// <inheritdoc/>
    public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken) =>
        throw new NotSupportedException($"A page carries {lsn}, but a file system has no log that could be asked about it.");

    /// <inheritdoc/>
    public async ValueTask PlaceAsync(
        ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken)
    {
        var batch = new List<StagedRun>(dirty.Length);
        foreach (var run in dirty.ToArray())
        {
            // Pages are aligned, for all lengths are multiples of them.
            batch.Add(new StagedRun(new BlockRun(_next, run.Length), run.Owners.ToArray()));
            _next = checked(_next + run.Length);
        }

        lock (_lock)
        {
            _batch = batch;
            _refused.Clear();
        }

        await Task.Run(() => Stage(batch), CancellationToken.None).ConfigureAwait(false);
        placed.Write([.. batch.Select(static run => new PlacedRun(run.Name))]);
    }

    /// <summary>Writes a placed run to every file that shows it.</summary>
    /// <exception cref="IOException">A file system failed, or a file was changed by somebody else.</exception>
    public async ValueTask WriteAsync(BlockRun run, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        var staged = Find(run);
        foreach (var owner in staged.OwnersOf(run))
        {
            var file = (WritableReflinkFile)owner.File;
            lock (_lock)
            {
                if (_refused.TryGetValue(file, out var error))
                {
                    throw new IOException($"'{file}' cannot be written: {error.Message}", error);
                }

                _written.Add(file);
            }

            await file.WriteAsync(owner.FileOffset, buffers).ConfigureAwait(false);
        }
    }

    /// <summary>Makes durable what was written.</summary>
    /// <exception cref="IOException">A file system failed.</exception>
    public async ValueTask SyncAsync()
    {
        WritableReflinkFile[] files;
        lock (_lock)
        {
            files = [.. _written];
            _written.Clear();
        }

        await Task.Run(() => Array.ForEach(files, static file => file.Sync())).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners)
    {
        var written = Find(run).OwnersOf(run);
        var files = new HashSet<WritableReflinkFile>(ReferenceEqualityComparer.Instance);
        foreach (var owner in owners)
        {
            if (!written.Contains(owner))
            {
                throw new InvalidOperationException($"{run} was not written to {owner.File} at {owner.FileOffset}.");
            }

            files.Add((WritableReflinkFile)owner.File);
        }

        foreach (var file in files)
        {
            file.NotePublished();
            NoteUnsettled(file);
        }

        // A place that was cut meanwhile has the bytes on the disk all the same.
        foreach (var owner in written)
        {
            if (!owners.Contains(owner))
            {
                ((WritableReflinkFile)owner.File).NoteAbandoned(owner.FileOffset, run.Length);
            }
        }
    }

    /// <inheritdoc/>
    public void Abandon(BlockRun run)
    {
        foreach (var owner in Find(run).OwnersOf(run))
        {
            var file = (WritableReflinkFile)owner.File;
            file.NoteAbandoned(owner.FileOffset, run.Length);
            NoteUnsettled(file);
        }
    }

    /// <inheritdoc/>
    public async ValueTask PersistAsync(CancellationToken cancellationToken) =>
        await Task.Run(Settle, CancellationToken.None).ConfigureAwait(false);

    /// <summary>The file has something that is not on the disk, or not known to be where.</summary>
    public void NoteUnsettled(WritableReflinkFile file)
    {
        lock (_lock)
        {
            _unsettled.Add(file);
        }
    }

    private void Stage(List<StagedRun> batch)
    {
        var ranges = new Dictionary<WritableReflinkFile, List<Extent>>(ReferenceEqualityComparer.Instance);
        foreach (var run in batch)
        {
            foreach (var owner in run.Owners)
            {
                var file = (WritableReflinkFile)owner.File;
                if (!ranges.TryGetValue(file, out var list))
                {
                    ranges.Add(file, list = []);
                }

                list.Add(new Extent(owner.FileOffset, run.Name.Length, run.Name.Offset));
            }
        }

        foreach (var (file, list) in ranges)
        {
            try
            {
                list.Sort(static (left, right) => left.FileOffset.CompareTo(right.FileOffset));
                file.Stage(list);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or ObjectDisposedException)
            {
                lock (_lock)
                {
                    _refused.Add(file, error);
                }
            }
        }
    }

    private void Settle()
    {
        WritableReflinkFile[] files;
        lock (_lock)
        {
            files = [.. _unsettled];
            _unsettled.Clear();
        }

        Exception? failure = null;
        foreach (var file in files)
        {
            try
            {
                file.Settle();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                NoteUnsettled(file);
                failure ??= error;
            }
        }

        if (failure is not null)
        {
            throw new IOException(failure.Message, failure);
        }
    }

    /// <summary>The placed run that a part belongs to. Names ascend in the order of the batch.</summary>
    private StagedRun Find(BlockRun part)
    {
        lock (_lock)
        {
            var (low, high) = (0, _batch.Count - 1);
            while (low <= high)
            {
                var middle = (low + high) >>> 1;
                var staged = _batch[middle];
                if (part.Offset < staged.Name.Offset)
                {
                    high = middle - 1;
                }
                else if (part.Offset >= staged.Name.End)
                {
                    low = middle + 1;
                }
                else if (part.End <= staged.Name.End)
                {
                    return staged;
                }
                else
                {
                    break;
                }
            }
        }

        throw new InvalidOperationException($"{part} was not placed.");
    }

    /// <summary>A dirty run of this batch.</summary>
    /// <param name="Name">The addresses that stand for it.</param>
    /// <param name="Owners">Who showed it when it was placed.</param>
    private sealed record StagedRun(BlockRun Name, RunOwner[] Owners)
    {
        /// <summary>The places that show a part.</summary>
        public RunOwner[] OwnersOf(BlockRun part) =>
            [.. Owners.Select(owner => owner with { FileOffset = owner.FileOffset + (part.Offset - Name.Offset) })];
    }
}
