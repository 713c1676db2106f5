using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <summary>A device in memory; between the halves of each sector that it reads, others may run.</summary>
internal sealed class Device(int blockSize) : IBlockDevice
{
    private readonly Dictionary<long, Sector> _contents = [];
    private int _newest = 1;

    public int BlockSize { get; } = blockSize;

    public long Length => 1L << 32;

    /// <summary>How often each sector was read.</summary>
    public Dictionary<long, int> Reads { get; } = [];

    /// <summary>How many of the next reads fail.</summary>
    public int Failing { get; set; }

    /// <summary>What a sector holds now.</summary>
    public Sector this[long number] => _contents.TryGetValue(number, out var content) ? content : new Sector(number, 1);

    /// <summary>The engine writes a sector anew.</summary>
    public void Rewrite(long number)
    {
        Write(number, Fresh(number));
    }

    /// <summary>A content that was nowhere before.</summary>
    public Sector Fresh(long number) => new(number, ++_newest);

    public void Write(long number, Sector content)
    {
        Scheduler.Note($"the engine writes {content} to sector {number}");
        _contents[number] = content;
    }

    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        Scheduler.Note($"the device reads {run}");
        if (Failing > 0)
        {
            Failing--;
            throw new IOException("the disk is broken.");
        }

        // Opaque bytes have no address: the file knows at the time of the read where they are.
        var length = buffers.Sum(static buffer => buffer.Length);
        var number = run.IsSome ? run.Offset / Sector.Size : ((Extents)origin.File)[(int)(origin.FileOffset / Sector.Size)];
        Universe.Require(run.IsSome || length == Sector.Size, "opaque sectors are read one by one");
        foreach (var buffer in buffers)
        {
            for (var at = 0; at < buffer.Length; at += Sector.Size, number++)
            {
                var sector = this[number];
                Reads[number] = Reads.GetValueOrDefault(number) + 1;
                sector.CopyTo(buffer.Span.Slice(at, Sector.Size), 0, Sector.Size / 16);
                Scheduler.Note("half of it is read");
                sector.CopyTo(buffer.Span.Slice(at, Sector.Size), Sector.Size / 16, Sector.Size / 8);
            }
        }

        Scheduler.Note("the device has read");
        return length;
    }

    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
        new(Read(run, origin, buffers));
}
