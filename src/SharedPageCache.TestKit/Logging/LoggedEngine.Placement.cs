using System.Buffers;

namespace SharedPageCache.TestKit.Logging;

/// <content>The write-back port.</content>
public sealed partial class LoggedEngine : IPlacementEngine
{
    /// <summary>Forces the log: no page reaches the device before its record.</summary>
    /// <inheritdoc/>
    public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken) => new(_log.ForceAsync(lsn, cancellationToken));

    /// <summary>Places in place what only its owners show, and everything else in free blocks.</summary>
    /// <inheritdoc/>
    public async ValueTask PlaceAsync(
        ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(placed);
        var answer = new List<long>();
        Lsn decided;
        lock (_lock)
        {
            Choose(dirty.Span, answer);
            decided = _newestChange;
        }

        try
        {
            // That nobody else shows these blocks, or nobody at all, must be true after a crash too. More may come to show
            // those in place meanwhile, as clones of the dirty pages: they will be owners.
            await _log.ForceAsync(decided, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            lock (_lock)
            {
                answer.ForEach(Unplace);
            }

            throw;
        }

        lock (_lock)
        {
            foreach (var block in answer)
            {
                if (_state.ReferencesTo(block) == 0)
                {
                    PlacedAnew++;
                    _volume!.Discard(RunOf(block));
                }
                else
                {
                    PlacedInPlace++;
                }
            }
        }

        placed.Write(answer.ConvertAll(block => new PlacedRun(RunOf(block))).ToArray());
    }

    /// <summary>Binds blocks to all who show them, in memory and in the log's memory.</summary>
    /// <inheritdoc/>
    public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners)
    {
        var (first, count) = (run.Offset / PageSize, run.Length / PageSize);
        lock (_lock)
        {
            var numbers = new long[2 + owners.Length * 2];
            (numbers[0], numbers[1]) = (first, count);
            var isBound = true;
            for (var index = 0; index < owners.Length; index++)
            {
                var owner = owners[index];
                var file = ((LoggedFile)owner.File).State;
                var page = owner.FileOffset / PageSize;
                (numbers[index * 2 + 2], numbers[index * 2 + 3]) = (file.Id, page);
                for (var i = 0; i < count; i++)
                {
                    isBound &= file.Blocks.TryGetValue(page + i, out var block) && block == first + i;
                }
            }

            if (!isBound)
            {
                LogChange(LogRecordKind.Bind, LogRecord.Pack(numbers));
            }

            foreach (var file in owners.ToArray().Select(static owner => (LoggedFile)owner.File).Distinct())
            {
                file.Advance();
            }

            foreach (var owner in owners)
            {
                for (var i = 0; i < count; i++)
                {
                    _state.Bind(((LoggedFile)owner.File).State, owner.FileOffset / PageSize + i, first + i);
                }
            }

            Unplace(run);
        }
    }

    /// <summary>Forces the log up to all that was bound and changed.</summary>
    /// <inheritdoc/>
    public ValueTask PersistAsync(CancellationToken cancellationToken) => new(_log.ForceAsync(_log.End, cancellationToken));

    /// <summary>Takes blocks back; one that was placed in place stays where it is shown.</summary>
    /// <inheritdoc/>
    public void Abandon(BlockRun run)
    {
        lock (_lock)
        {
            Unplace(run);
        }
    }

    /// <summary>Chooses a block for each dirty page, all or none. Nobody else gets them from now on.</summary>
    private void Choose(ReadOnlySpan<DirtyRun> dirty, List<long> answer)
    {
        foreach (var run in dirty)
        {
            for (var done = 0L; done < run.Length; done += PageSize)
            {
                var block = run.Replaces.IsSome ? (run.Replaces.Offset + done) / PageSize : -1;
                if (block < 0 || !IsShownBy(block, run.Owners.Span, done))
                {
                    if (_free.Count == 0)
                    {
                        answer.ForEach(Unplace);
                        throw new IOException($"No space: all {_state.BlockCount} blocks are in use.");
                    }

                    block = _free.Min;
                    _free.Remove(block);
                }

                _placed.Add(block);
                answer.Add(block);
            }
        }
    }

    /// <summary>Whether these owners show a block, all of them, and nobody else.</summary>
    private bool IsShownBy(long block, ReadOnlySpan<RunOwner> owners, long done)
    {
        foreach (var owner in owners)
        {
            var file = ((LoggedFile)owner.File).State;
            if (!file.Blocks.TryGetValue((owner.FileOffset + done) / PageSize, out var known) || known != block)
            {
                return false;
            }
        }

        return _state.ReferencesTo(block) == owners.Length && !_placed.Contains(block);
    }

    /// <summary>The last place has stopped showing a block: it is free, unless it is being written.</summary>
    private void Release(long block)
    {
        if (!_placed.Contains(block))
        {
            _free.Add(block);
        }
    }

    private void Unplace(BlockRun run)
    {
        for (var block = run.Offset / PageSize; block < run.End / PageSize; block++)
        {
            Unplace(block);
        }
    }

    private void Unplace(long block)
    {
        if (!_placed.Remove(block))
        {
            throw new InvalidOperationException($"Block {block} is not placed.");
        }

        if (_state.ReferencesTo(block) == 0)
        {
            _free.Add(block);
        }
    }

    private BlockRun RunOf(long block) => new(block * PageSize, PageSize);
}
