namespace SharedPageCache.Stress.Faults;

/// <summary>Steps that change files. What fails has changed nothing, or page by page what it was to change.</summary>
internal sealed partial class Play
{
    private byte[] Fresh(int length)
    {
        var bytes = new byte[length];
        Array.Fill(bytes, (byte)(Interlocked.Increment(ref _fill) % 251 + 1));
        return bytes;
    }

    private void Create(Step step)
    {
        var length = step.Size(1, PageSize);
        _files[step.File] = new PlayedFile(world.OpenNew(step.File, length), new byte[length]);
    }

    private async Task WriteAsync(Step step)
    {
        if (Find(step.File) is not { } played)
        {
            return;
        }

        var (offset, bytes) = (step.Size(1, PageSize), Fresh(step.Size(2, PageSize)));
        var lsn = step.Words.Length > 3 ? new Lsn((ulong)step.Size(3, PageSize)) : default;
        var isInOnePage = offset / PageSize == (offset + bytes.Length - 1) / PageSize && offset + bytes.Length <= played.Length;
        byte[] Wanted() => played.With(offset, bytes);
        var outcome = await TryAsync(
            step, () => played.File.Write(offset, bytes, lsn), token => played.File.WriteAsync(offset, bytes, lsn, token).AsTask());
        await ConcludeAsync(step, played, Wanted, outcome, isInOnePage);
    }

    private async Task ZeroAsync(Step step, bool grows)
    {
        if (Find(step.File) is not { } played)
        {
            return;
        }

        var (offset, length) = (step.Size(1, PageSize), step.Size(2, PageSize));
        byte[] Wanted() => grows ? played.With(offset, new byte[length]) : played.Zeroed(offset, length);
        var outcome = await TryAsync(
            step,
            () => (grows ? played.File.ZeroRange : (Action<long, long>)played.File.PunchHole)(offset, length),
            token => grows ? played.File.ZeroRangeAsync(offset, length, token).AsTask() : played.File.PunchHoleAsync(offset, length, token).AsTask());
        await ConcludeAsync(step, played, Wanted, outcome, isWhole: false);
        Cut(step.File, offset, length, outcome);
    }

    private async Task SetLengthAsync(Step step)
    {
        if (Find(step.File) is not { } played)
        {
            return;
        }

        var length = step.Size(1, PageSize);
        var outcome = await TryAsync(
            step, () => played.File.SetLength(length), token => played.File.SetLengthAsync(length, token).AsTask());
        await ConcludeAsync(step, played, () => played.Resized(length), outcome, isWhole: true);
        Cut(step.File, length, int.MaxValue - length, outcome);
    }

    /// <summary>A piece is written around as a whole, or not, but for runs before one that was not published; what fails behind it leaves it written.</summary>
    private async Task WriteAroundAsync(Step step)
    {
        if (Find(step.File) is not { } played)
        {
            return;
        }

        var offset = step.Size(1, PageSize);
        var bytes = Fresh(Math.Max(0, Math.Min(step.Size(2, PageSize), played.Length - offset)));
        if (bytes.Length == 0 || (bytes.Length % PageSize != 0 && offset + bytes.Length != played.Length))
        {
            return;
        }

        var isInPlace = world.Layout.Engine == EngineKind.InPlace;
        played.Coming = isInPlace ? played.With(offset, bytes) : null;
        var outcome = await TryAsync(
            step, () => played.File.WriteAroundAsync(offset, bytes).AsTask().GetAwaiter().GetResult(),
            token => played.File.WriteAroundAsync(offset, bytes, default, token).AsTask());
        played.Coming = null;
        var isWritten = outcome || outcome.Error is CacheWritebackException { Step: "Persist" or "Abandon" };

        // An engine that places in place shows what a device has written that failed, in part or as a whole.
        var isWhole = !isInPlace && outcome.Error is not CacheWritebackException { Step: "Publish" };
        await ConcludeAsync(step, played, () => played.With(offset, bytes), isWritten ? default : outcome, isWhole, isInPlace ? world.BlockSize : PageSize);
        Cut(step.File, offset, bytes.Length, isWritten);
    }

    private async Task FlushAsync(Step step)
    {
        _isMeanwhile = false;
        var played = step.Words.Length > 0 ? Find(step.File) : null;
        if (played is null && step.Words.Length > 0)
        {
            return;
        }

        var isPart = step.Words.Length > 2;
        var (offset, length) = isPart ? (step.Size(1, PageSize), step.Size(2, PageSize)) : (0, int.MaxValue);
        Task Flush(CancellationToken token) => played is null ? world.Volume.FlushAsync(token).AsTask()
            : isPart ? played.File.FlushAsync(offset, length, token).AsTask() : played.File.FlushAsync(token).AsTask();
        if (!await TryAsync(step, () => Flush(default).GetAwaiter().GetResult(), Flush))
        {
            return;
        }

        // A flush promises what was written before it was called.
        foreach (var (name, file) in _isMeanwhile || _isInMoment || _isTogether || isPart ? [] : _files.Where(pair => played is null || pair.Value == played))
        {
            if (world.DurableOf(file.File) is { } durable)
            {
                DemandEqual(file.Bytes, durable, $"durable after '{step}': {name}");
            }
        }
    }

    /// <summary>The first flush tells what failed in the background meanwhile; then all is well.</summary>
    private async Task FlushHealedAsync()
    {
        try
        {
            await world.Volume.FlushAsync();
        }
        catch (CacheWritebackException) when (Plan.Struck > 0)
        {
            _wasTold = true;
            await world.Volume.FlushAsync();
        }
    }

    private async Task CloneAsync(Step step)
    {
        if (Find(step.File) is not { } played || _files.ContainsKey(step.Words[1]))
        {
            return;
        }

        MappedFile? clone = null;
        if (await TryAsync(
            step, () => clone = played.File.Clone(world.NewId(step.Words[1])),
            async token => clone = await played.File.CloneAsync(world.NewId(step.Words[1]), token)))
        {
            _files[step.Words[1]] = played.CloneAs(clone!);
        }
    }

    private async Task CloneRangeAsync(Step step)
    {
        if (Find(step.File) is not { } source || Find(step.Words[2]) is not { } played)
        {
            return;
        }

        var (from, to) = (Math.Min(step.Size(1, PageSize), source.Length), step.Size(3, PageSize));
        var length = Math.Min(step.Size(4, PageSize), source.Length - from);
        var dirty = world.Figures.DirtyBytes;
        byte[] Wanted() => length == 0 ? played.Bytes : played.With(to, source.Bytes.AsSpan(from, length));
        var outcome = await TryAsync(
            step, () => played.File.CloneRange(source.File, from, to, length),
            token => played.File.CloneRangeAsync(source.File, from, to, length, token).AsTask());
        await ConcludeAsync(step, played, Wanted, outcome, isWhole: true);
        Cut(step.Words[2], to, length, outcome);
        Demand(
            outcome || _isTogether || _isMeanwhile || world.IsShared || world.Figures.DirtyBytes <= dirty + PageSize,
            $"'{step}' failed and left more than the zeroed tail dirty");
    }

    private async Task DedupeAsync(Step step)
    {
        if (Find(step.File) is not { } source || Find(step.Words[1]) is not { } played)
        {
            return;
        }

        var length = Math.Min(source.Length, played.Length);
        await TryAsync(
            step, () => played.File.Dedupe(source.File, 0, 0, length), token => played.File.DedupeAsync(source.File, 0, 0, length, token).AsTask());
        played.MayHaveChanged();
    }

    /// <summary>A branch goes into a file that surely is what it began with; if it goes into another one, that must be equal.</summary>
    private async Task MergeAsync(Step step)
    {
        if (Find(step.File) is not { } branch || Find(step.Words[1]) is not { } target)
        {
            return;
        }

        try
        {
            if (await TryAsync(
                step, () => branch.File.MergeInto(target.File), token => branch.File.MergeIntoAsync(target.File, token).AsTask()))
            {
                Demand(target.MayBeWhatBeganWith(branch), $"'{step}' took over another file");
                target.TakeOver(branch);
                Cut(step.Words[1], 0, int.MaxValue, isCertain: true);
            }
        }
        catch (InvalidOperationException error) when (error.InnerException is MergeConflictException)
        {
            Demand(!target.SurelyIsWhatBeganWith(branch) || Plan.First == "Sequence", $"'{step}' was refused");
        }
    }

    private async Task DeleteAsync(Step step)
    {
        if (Find(step.File) is { } played && await TryAsync(step, played.File.Delete, _ => Now(played.File.Delete)))
        {
            _files.TryRemove(step.File, out _);
            _hasLostFile = true;
        }
    }

    private void Close(Step step)
    {
        if (_files.TryRemove(step.File, out var played))
        {
            played.File.Dispose();
            _closed.Add(step.File, played);
        }
    }

    /// <summary>Closes a file with a flush, which may fail; closed it is in any case.</summary>
    private async Task CloseAsync(Step step)
    {
        if (Find(step.File) is { } played)
        {
            await TryAsync(step, () => played.File.DisposeAsync().AsTask().GetAwaiter().GetResult(), _ => played.File.DisposeAsync().AsTask());
            Demand(played.File.IsClosed, $"'{step}' leaves the handle open");
            _files.TryRemove(step.File, out _);
            _closed.Add(step.File, played);
        }
    }

    private void Reopen(string name)
    {
        if (_closed.Remove(name, out var played))
        {
            played.File = world.Reopen(played.File, played.Length);
            played.Forget();
            _files[name] = played;
        }
    }

    /// <summary>What a step has left: all of it, or nothing, or each page one of the two.</summary>
    private async Task ConcludeAsync(Step step, PlayedFile played, Func<byte[]> want, Outcome outcome, bool isWhole, int? grain = null)
    {
        // Only now: something else may have been done to the file in the middle of it.
        var wanted = want();
        if (outcome)
        {
            played.Change(wanted);
            Demand(played.File.Length == wanted.Length, $"'{step}' left {played.File.Length} bytes, and should have left {wanted.Length}");
        }
        else if (isWhole && outcome.Error is not OperationCanceledException)
        {
            Demand(played.File.Length == played.Length, $"'{step}' failed and left {played.File.Length} bytes of {played.Length}");
            played.MayHaveChanged();
        }
        else
        {
            await LookAsync(step, played, wanted, grain ?? PageSize);
        }
    }
}
