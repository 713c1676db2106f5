namespace SharedPageCache.Cow.Tests.Support;

/// <summary>
/// A disk with a volatile write cache: writes are readable at once, and survive a power cut for certain only after a flush.
/// At a power cut each sector of 512 bytes is decided for itself: it keeps its old bytes or any of those written since, so
/// writes are lost, reordered and torn.
/// </summary>
internal sealed class SectorDevice(long length, int blockSize) : IBlockDevice
{
    public const int Sector = 512;

    private readonly Lock _lock = new();
    private readonly Dictionary<long, byte[]> _durable = [];
    private readonly Dictionary<long, List<byte[]>> _volatile = [];
    private long _operationsLeft = long.MaxValue;

    public int BlockSize => blockSize;

    public long Length => length;

    /// <summary>Writes and flushes since the beginning.</summary>
    public long Operations { get; private set; }

    public long Flushes { get; private set; }

    /// <summary>Called before each write and flush; may throw.</summary>
    public Func<BlockRun, ValueTask>? Before { get; set; }

    /// <summary>Whether single writes are cut in half now and then, as the port allows.</summary>
    public bool WritesShort { get; set; }

    /// <summary>After so many more writes and flushes the power is gone: every later one fails, and the next one may be half done.</summary>
    public void CutPowerAfter(long operations) => _operationsLeft = operations;

    /// <summary>What the disk holds when the power comes back.</summary>
    public SectorDevice AfterPowerCut(Random random)
    {
        lock (_lock)
        {
            var after = new SectorDevice(length, blockSize);
            foreach (var (sector, bytes) in _durable)
            {
                after._durable[sector] = bytes;
            }

            // All kinds of luck: nothing, everything, or anything between.
            var luck = random.Next(4) switch { 0 => 0.0, 1 => 1.0, _ => random.NextDouble() };
            foreach (var (sector, versions) in _volatile)
            {
                if (random.NextDouble() < luck)
                {
                    after._durable[sector] = versions[random.Next(versions.Count)];
                }
            }

            return after;
        }
    }

    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var at = run.Offset;
            foreach (var buffer in buffers)
            {
                for (var i = 0; i < buffer.Length; i += Sector, at += Sector)
                {
                    var bytes = buffer.Span.Slice(i, Sector);
                    if (_volatile.TryGetValue(at, out var versions))
                    {
                        versions[^1].CopyTo(bytes);
                    }
                    else if (_durable.TryGetValue(at, out var durable))
                    {
                        durable.CopyTo(bytes);
                    }
                    else
                    {
                        bytes.Clear();
                    }
                }
            }
        }

        return new ValueTask<int>((int)run.Length);
    }

    public async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        if (Before is { } before)
        {
            await before(run);
        }

        lock (_lock)
        {
            // The write that the power cut hits is in the cache of the disk like any other: any part of it may survive.
            var fails = !Spend();
            var written = WritesShort && run.Length > blockSize ? run.Length / 2 / blockSize * blockSize : run.Length;
            var at = run.Offset;
            foreach (var buffer in buffers)
            {
                for (var i = 0; i < buffer.Length && at < run.Offset + written; i += Sector, at += Sector)
                {
                    if (!_volatile.TryGetValue(at, out var versions))
                    {
                        _volatile[at] = versions = [];
                    }

                    versions.Add(buffer.Slice(i, Sector).ToArray());
                }
            }

            return fails ? throw new IOException("power cut") : (int)written;
        }
    }

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (Before is { } before)
        {
            await before(BlockRun.None);
        }

        lock (_lock)
        {
            if (!Spend())
            {
                throw new IOException("power cut");
            }

            Flushes++;
            foreach (var (sector, versions) in _volatile)
            {
                _durable[sector] = versions[^1];
            }

            _volatile.Clear();
        }
    }

    /// <summary>Changes a byte on the disk, behind everybody's back.</summary>
    public void Damage(long offset)
    {
        lock (_lock)
        {
            var sector = offset / Sector * Sector;
            var bytes = (byte[])_durable[sector].Clone();
            bytes[offset - sector] ^= 0x40;
            _durable[sector] = bytes;
        }
    }

    /// <summary>The sectors of a block as they are on the disk, to be put back later.</summary>
    public byte[] Take(long offset, int count)
    {
        var bytes = new byte[count];
        ReadAsync(new BlockRun(offset, count), default, [bytes], default).AsTask().GetAwaiter().GetResult();
        return bytes;
    }

    public void Put(long offset, byte[] bytes)
    {
        lock (_lock)
        {
            for (var i = 0; i < bytes.Length; i += Sector)
            {
                _durable[offset + i] = bytes.AsSpan(i, Sector).ToArray();
            }
        }
    }

    private bool Spend()
    {
        Operations++;
        return _operationsLeft-- > 0;
    }
}
