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
    private uint _generation = 1;
    private long _nextLent = ExtentTable.FirstLent;
    private uint _generationLent = 1;

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
            var (name, generation) = NameFor(run.Length);
            batch.Add(new StagedRun(name, generation, run.Owners.ToArray()));
        }

        lock (_lock)
        {
            // In the order of their names, which may have begun anew.
            _batch = [.. batch.OrderBy(static run => run.Name.Offset)];
            _refused.Clear();
        }

        await Task.Run(() => Stage(batch), CancellationToken.None).ConfigureAwait(false);
        placed.Write([.. batch.Select(static run => new PlacedRun(run.Name, run.Generation))]);
    }

    /// <summary>Writes placed runs that follow each other to every file that shows them.</summary>
    /// <exception cref="IOException">A file system failed, or a file was changed by somebody else.</exception>
    public async ValueTask WriteAsync(BlockRun run, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        for (var at = run.Offset; at < run.End;)
        {
            var staged = Find(at);
            var owners = staged.OwnersOf(at);
            var end = staged.Name.End;
            while (end < run.End && Find(end) is var next && next.Continues(owners, end - at))
            {
                end = next.Name.End;
            }

            end = Math.Min(end, run.End);
            var part = buffers.Part(at - run.Offset, end - run.Offset);
            foreach (var owner in owners)
            {
                await WriteAsync((WritableReflinkFile)owner.File, owner.FileOffset, part).ConfigureAwait(false);
            }

            at = end;
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
        var written = OwnersOf(run);
        var generation = Find(run.Offset).Generation;
        var files = new Dictionary<WritableReflinkFile, List<Extent>>(ReferenceEqualityComparer.Instance);
        foreach (var owner in owners)
        {
            if (!written.Contains(owner))
            {
                throw new InvalidOperationException($"{run} was not written to {owner.File} at {owner.FileOffset}.");
            }

            var file = (WritableReflinkFile)owner.File;
            if (!files.TryGetValue(file, out var ranges))
            {
                files.Add(file, ranges = []);
            }

            ranges.Add(new Extent(owner.FileOffset, run.Length, run.Offset, ExtentFlags.None, generation));
        }

        foreach (var (file, ranges) in files)
        {
            file.NotePublished(ranges);
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
        foreach (var owner in OwnersOf(run))
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

    private async ValueTask WriteAsync(WritableReflinkFile file, long offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        lock (_lock)
        {
            if (_refused.TryGetValue(file, out var error))
            {
                throw new IOException($"'{file}' cannot be written: {error.Message}", error);
            }

            _written.Add(file);
        }

        await file.WriteAsync(offset, buffers).ConfigureAwait(false);
    }

    /// <summary>A name for a range that a file shows and does not have yet, as those of pages, with a page before and behind it that nothing has.</summary>
    /// <param name="length">Its length, a multiple of the page size.</param>
    /// <param name="pageSize">The page size.</param>
    /// <exception cref="NotSupportedException">There are no names for so much.</exception>
    public (BlockRun Name, uint Generation) NameForLoan(long length, int pageSize)
    {
        if (length > ExtentTable.LentBytes - (2 * pageSize))
        {
            throw new NotSupportedException($"{length} bytes are more than can be shared in one step.");
        }

        lock (_lock)
        {
            if (_nextLent + length + (2 * pageSize) > ExtentTable.FirstLent + ExtentTable.LentBytes)
            {
                _nextLent = ExtentTable.FirstLent;
                _generationLent++;
            }

            var name = new BlockRun(_nextLent + pageSize, length);
            _nextLent = name.End + pageSize;
            return (name, _generationLent);
        }
    }

    /// <summary>
    /// The next name. Names come round, with another generation: what is indexed by addresses shall not grow for ever. Pages
    /// are aligned, for all lengths are multiples of them.
    /// </summary>
    /// <param name="length">Its length, a multiple of the page size.</param>
    public (BlockRun Name, uint Generation) NameFor(long length)
    {
        lock (_lock)
        {
            if (_next + length > ExtentTable.FirstStaged + ExtentTable.StagedBytes)
            {
                _next = ExtentTable.FirstStaged;
                _generation++;
            }

            var name = new BlockRun(_next, length);
            _next += length;
            return (name, _generation);
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

                list.Add(new Extent(owner.FileOffset, run.Name.Length, run.Name.Offset, ExtentFlags.None, run.Generation));
            }
        }

        foreach (var (file, list) in ranges)
        {
            try
            {
                list.Sort(static (left, right) => left.FileOffset.CompareTo(right.FileOffset));
                file.Stage(list);
            }
            catch (Exception error)
            {
                // Whatever it is, it concerns this file alone.
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
            catch (Exception error)
            {
                // Whatever it is, it concerns this file alone.
                NoteUnsettled(file);
                failure ??= error;
            }
        }

        if (failure is not null)
        {
            throw new IOException(failure.Message, failure);
        }
    }

    /// <summary>Who showed a part of a placed run when it was placed.</summary>
    private RunOwner[] OwnersOf(BlockRun part) =>
        Find(part.Offset) is var staged && part.End <= staged.Name.End
            ? staged.OwnersOf(part.Offset)
            : throw new InvalidOperationException($"{part} is no part of a run that was placed.");

    /// <summary>The placed run that an address belongs to.</summary>
    private StagedRun Find(long address)
    {
        lock (_lock)
        {
            var (low, high) = (0, _batch.Count - 1);
            while (low <= high)
            {
                var middle = (low + high) >>> 1;
                var staged = _batch[middle];
                if (address < staged.Name.Offset)
                {
                    high = middle - 1;
                }
                else if (address >= staged.Name.End)
                {
                    low = middle + 1;
                }
                else
                {
                    return staged;
                }
            }
        }

        throw new InvalidOperationException($"Nothing was placed at {address}.");
    }

    /// <summary>A dirty run of this batch.</summary>
    /// <param name="Name">The addresses that stand for it.</param>
    /// <param name="Generation">How often these addresses have been given out.</param>
    /// <param name="Owners">Who showed it when it was placed.</param>
    private sealed record StagedRun(BlockRun Name, uint Generation, RunOwner[] Owners)
    {
        /// <summary>The places that show it from an address on.</summary>
        public RunOwner[] OwnersOf(long address) =>
            [.. Owners.Select(owner => owner with { FileOffset = owner.FileOffset + (address - Name.Offset) })];

        /// <summary>Whether all places follow others at a distance.</summary>
        public bool Continues(RunOwner[] others, long distance) =>
            Owners.AsSpan().SequenceEqual(
                [.. others.Select(other => other with { FileOffset = other.FileOffset + distance })]);
    }
}
