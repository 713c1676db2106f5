using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <summary>
/// A device in memory that is written to: what it holds, and what of that would be there after a crash. Between the parts of each
/// block that it reads or writes, others may run.
/// </summary>
internal sealed class WriteDevice : IBlockDevice
{
    public const int Blocks = 64;

    private readonly byte[] _contents = new byte[Blocks * Sector.Size];
    private readonly byte[] _stable;

    public WriteDevice()
    {
        for (var block = 0; block < Blocks; block++)
        {
            Original(block).CopyTo(_contents.AsSpan(block * Sector.Size, Sector.Size), 0, Sector.Size / 8);
        }

        _stable = [.. _contents];
    }

    public int BlockSize => Sector.Size;

    public long Length => _contents.Length;

    /// <summary>Asked before a block is written: whether it may be.</summary>
    public Action<long> Guard { get; set; } = static _ => { };

    /// <summary>How many bytes are read or written in one step. With less than half a block a torn block shows in each of its halves.</summary>
    public int Grain { get; init; } = Sector.Size / 2;

    /// <summary>How many of the next writes fail, in their middle.</summary>
    public int FailingWrites { get; set; }

    /// <summary>How many of the next flushes fail.</summary>
    public int FailingFlushes { get; set; }

    /// <summary>What a block held before anybody wrote to it.</summary>
    public static Sector Original(long block) => new(100_000 + block, 1);

    /// <summary>Somebody else writes a block, past the cache.</summary>
    public void Overwrite(long block, Sector held)
    {
        Scheduler.Note($"{held} is written to block {block} past the cache");
        held.CopyTo(_contents.AsSpan((int)block * Sector.Size, Sector.Size), 0, Sector.Size / 8);
        Now(block).CopyTo(_stable.AsSpan((int)block * Sector.Size));
    }

    /// <summary>The engine itself writes a block, one half after the other.</summary>
    public void OverwriteInHalves(long block, Sector held)
    {
        for (var half = 0; half < 2; half++)
        {
            Scheduler.Note($"the engine writes half {half} of block {block}: {held}");
            held.CopyTo(_contents.AsSpan((int)block * Sector.Size, Sector.Size), half * WrittenFile.Half / 8, (half + 1) * WrittenFile.Half / 8);
        }

        Now(block).CopyTo(_stable.AsSpan((int)block * Sector.Size));
        Scheduler.Note("the engine has written");
    }

    public ReadOnlySpan<byte> Now(long block) => _contents.AsSpan((int)block * Sector.Size, Sector.Size);

    public ReadOnlySpan<byte> AfterCrash(long block) => _stable.AsSpan((int)block * Sector.Size, Sector.Size);

    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        Scheduler.Note($"the device reads {run}");
        var at = (int)run.Offset;
        foreach (var buffer in buffers)
        {
            for (var done = 0; done < buffer.Length; done += Grain, at += Grain)
            {
                _contents.AsSpan(at, Grain).CopyTo(buffer.Span[done..]);
                Scheduler.Note("a part of a block is read");
            }
        }

        return (int)run.Length;
    }

    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
        new(Read(run, origin, buffers));

    public ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        Scheduler.Note($"the device writes {run}");
        var at = (int)run.Offset;
        foreach (var buffer in buffers)
        {
            for (var done = 0; done < buffer.Length; done += Grain, at += Grain)
            {
                Guard(at / Sector.Size);
                buffer.Span.Slice(done, Grain).CopyTo(_contents.AsSpan(at));
                Scheduler.Note("a part of a block is written");
                if (FailingWrites > 0)
                {
                    FailingWrites--;
                    throw new IOException("the disk is broken.");
                }
            }
        }

        Scheduler.Note("the device has written");
        return new((int)run.Length);
    }

    public ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        Scheduler.Note("the device is flushed");
        if (FailingFlushes > 0)
        {
            FailingFlushes--;
            throw new IOException("the disk does not flush.");
        }

        _contents.CopyTo(_stable, 0);
        Scheduler.Note("the device has flushed");
        return ValueTask.CompletedTask;
    }
}
