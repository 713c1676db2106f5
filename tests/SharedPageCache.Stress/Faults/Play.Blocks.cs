using System.Collections.Concurrent;
using SharedPageCache.TestKit.Faults;

namespace SharedPageCache.Stress.Faults;

/// <summary>Steps of the engine beside the cache: blocks that it writes, moves, frees and finds bad.</summary>
internal sealed partial class Play
{
    private readonly ConcurrentDictionary<string, (BlockRun Run, byte[] Content)> _bad = [];

    /// <summary>All files that show the block show the new bytes, unless the page is dirty.</summary>
    private void WriteDirectly(Step step)
    {
        if (Find(step.File) is not { } played || world.Figures.DirtyBytes > 0)
        {
            return;
        }

        var page = step.Size(1, PageSize) / PageSize;
        var shows = _files.Values.Where(other => world.BlockOf(other.File, page) is { } run && run == world.BlockOf(played.File, page)).ToList();
        if (world.WriteDirectly(played.File, page, (byte)(Interlocked.Increment(ref _fill) % 251 + 1)) is not { } bytes)
        {
            return;
        }

        foreach (var other in shows)
        {
            var length = Math.Min(PageSize, other.Length - page * PageSize);
            if (length > 0)
            {
                other.Change(other.With(page * PageSize, bytes.AsSpan(0, length)));
            }
        }
    }

    /// <summary>The extents may have changed, for all that the cache knows: so may the content.</summary>
    private void Invalidate(Step step)
    {
        if (Find(step.File) is { } played)
        {
            played.MayHaveChanged();
            played.File.InvalidateExtents(0, long.MaxValue);
        }
    }

    private void Move(Step step)
    {
        if (Find(step.File) is { } played)
        {
            played.MayHaveChanged();
            world.Move(played.File, step.Size(1, PageSize) / PageSize);
        }
    }

    private void ReportBad(Step step)
    {
        if (Find(step.File) is { } played && step.Size(1, PageSize) / PageSize is var page && world.BlockOf(played.File, page) is { } run)
        {
            _bad[step.File] = (run, world.ContentOf(run));
            world.Volume.ReportBadBlocks(run);
        }
    }

    private async Task RepairAsync(Step step)
    {
        if (_bad.TryGetValue(step.File, out var bad))
        {
            Task Repair(CancellationToken _) => RepairAsync(bad.Run, bad.Content);
            if (await TryAsync(step, () => Repair(default).GetAwaiter().GetResult(), Repair))
            {
                _bad.TryRemove(step.File, out _);
            }
        }
    }

    private async Task RepairAsync(BlockRun run, byte[] content)
    {
        try
        {
            await world.Volume.RepairAsync(run, content);
        }
        catch (InvalidOperationException error) when (error.Message.Contains("not reported bad", StringComparison.Ordinal))
        {
            // A write-back, a write around or a discard has ended the report.
        }
    }

    private async Task RepairAllAsync()
    {
        using (FaultPlan.Spare())
        {
            foreach (var (name, bad) in _bad)
            {
                await RepairAsync(bad.Run, bad.Content);
                _bad.TryRemove(name, out _);
            }
        }
    }

    /// <summary>The blocks under a file were freed and hold the same as before: nothing of it is cached any more.</summary>
    private void Discard(Step step)
    {
        for (var page = 0; Find(step.File) is { } played && page * PageSize < played.Length; page++)
        {
            if (world.BlockOf(played.File, page) is { } run)
            {
                world.Volume.Discard(run);
            }
        }
    }
}
