using System.Collections.Immutable;
using System.Diagnostics;

namespace SharedPageCache.TestKit.Devices;

/// <summary>
/// A disk with a volatile write cache: writes are readable at once, and survive a power cut for certain only after a flush.
/// At a power cut each sector of 512 bytes is decided for itself: it keeps its old bytes or any of those written since, so
/// writes are lost, reordered and torn.
/// </summary>
/// <remarks>
/// Thread-safe. Run a workload with a power cut after 0, 1, 2, … operations until it ends before the cut. Or run it once, and in
/// <see cref="Before"/> each flush look at what a power cut would leave at that moment: a state costs only the sectors in which it differs.
/// </remarks>
/// <param name="length">Its size in bytes.</param>
/// <param name="blockSize">Its block size in bytes.</param>
/// <param name="power">The power that it shares with other devices; null for its own.</param>
[DebuggerDisplay("{Length} bytes, {Operations} operations, {VolatileSectors} sectors not flushed")]
public sealed class SectorDevice(long length, int blockSize, PowerSupply? power = null) : IBlockDevice
{
    /// <summary>What is written whole or not at all, in bytes.</summary>
    public const int Sector = 512;

    private readonly Lock _lock = new();

    // Shared by all disks that come from one another; sectors are exchanged and never written.
    private ImmutableDictionary<long, byte[]> _durable = ImmutableDictionary<long, byte[]>.Empty;
    private readonly Dictionary<long, List<byte[]>> _volatile = [];
    private readonly PowerSupply _power = power ?? new PowerSupply();

    /// <inheritdoc/>
    public int BlockSize => blockSize;

    /// <inheritdoc/>
    public long Length => length;

    /// <summary>Writes and flushes since the beginning.</summary>
    public long Operations { get; private set; }

    /// <summary>Flushes that succeeded.</summary>
    public long Flushes { get; private set; }

    /// <summary>Sectors whose newest bytes are not certain to survive.</summary>
    public int VolatileSectors
    {
        get
        {
            lock (_lock)
            {
                return _volatile.Count;
            }
        }
    }

    /// <summary>Called before each write and flush; may throw.</summary>
    public Func<BlockRun, ValueTask>? Before { get; set; }

    /// <summary>Whether single writes are cut in half now and then, as the port allows.</summary>
    public bool WritesShort { get; set; }

    /// <summary>After so many more writes and flushes the power is gone: every later one fails, and the next one may be half done.</summary>
    /// <param name="operations">How many still succeed, of all devices with this power.</param>
    public void CutPowerAfter(long operations) => _power.CutAfter(operations);

    /// <summary>What the disk holds when the power comes back, with some luck or none.</summary>
    /// <param name="random">Decides which sectors survive.</param>
    /// <param name="newPower">The power of the disk that comes back; null for its own.</param>
    /// <returns>The disk as it is then, with nothing in its cache.</returns>
    public SectorDevice AfterPowerCut(Random random, PowerSupply? newPower = null)
    {
        ArgumentNullException.ThrowIfNull(random);
        lock (_lock)
        {
            // All kinds of luck: nothing, everything, or anything between.
            var after = Durable(newPower);
            var luck = random.Next(4) switch { 0 => 0.0, 1 => 1.0, _ => random.NextDouble() };
            foreach (var (sector, versions) in _volatile)
            {
                if (random.NextDouble() < luck)
                {
                    after._durable = after._durable.SetItem(sector, versions[random.Next(versions.Count)]);
                }
            }

            return after;
        }
    }

    /// <summary>The disk with what is certain to survive, and nothing else.</summary>
    /// <param name="newPower">The power of that disk; null for its own.</param>
    /// <returns>The disk.</returns>
    public SectorDevice Durable(PowerSupply? newPower = null)
    {
        lock (_lock)
        {
            return new SectorDevice(length, blockSize, newPower) { _durable = _durable };
        }
    }

    /// <summary>In how many states the disk may be when the power goes now: each sector decides for itself.</summary>
    public double PowerCuts
    {
        get
        {
            lock (_lock)
            {
                return _volatile.Values.Aggregate(1.0, static (product, versions) => product * (versions.Count + 1));
            }
        }
    }

    /// <summary>Every state in which the disk may be when the power goes now.</summary>
    /// <returns>Each of them once; see <see cref="PowerCuts"/> for how many.</returns>
    public IEnumerable<SectorDevice> AllPowerCuts()
    {
        (long Sector, byte[][] Versions)[] sectors;
        SectorDevice durable;
        lock (_lock)
        {
            sectors = [.. _volatile.Select(static pair => (pair.Key, pair.Value.ToArray()))];
            durable = Durable();
        }

        // A number whose digits say which version of each sector survives; the digit 0 is the durable one.
        var digits = new int[sectors.Length];
        while (true)
        {
            var after = durable.Durable();
            for (var i = 0; i < digits.Length; i++)
            {
                if (digits[i] > 0)
                {
                    after._durable = after._durable.SetItem(sectors[i].Sector, sectors[i].Versions[digits[i] - 1]);
                }
            }

            yield return after;
            var at = 0;
            while (at < digits.Length && ++digits[at] > sectors[at].Versions.Length)
            {
                digits[at++] = 0;
            }

            if (at == digits.Length)
            {
                yield break;
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
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

    /// <inheritdoc/>
    public async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        if (Before is { } before)
        {
            await before(run).ConfigureAwait(false);
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

    /// <inheritdoc/>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (Before is { } before)
        {
            await before(BlockRun.None).ConfigureAwait(false);
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
                _durable = _durable.SetItem(sector, versions[^1]);
            }

            _volatile.Clear();
        }
    }

    /// <summary>Changes a byte on the disk, behind everybody's back.</summary>
    /// <param name="offset">The byte, in a sector that was flushed once.</param>
    public void Damage(long offset)
    {
        lock (_lock)
        {
            var sector = offset / Sector * Sector;
            var bytes = (byte[])_durable[sector].Clone();
            bytes[offset - sector] ^= 0x40;
            _durable = _durable.SetItem(sector, bytes);
        }
    }

    /// <summary>The sectors of a block as they are on the disk, to be put back later.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="count">How many.</param>
    /// <returns>The bytes.</returns>
    public byte[] Take(long offset, int count)
    {
        var bytes = new byte[count];
        ReadAsync(new BlockRun(offset, count), default, [bytes], default).AsTask().GetAwaiter().GetResult();
        return bytes;
    }

    /// <summary>Puts sectors on the disk, behind everybody's back.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="bytes">The bytes, whole sectors.</param>
    public void Put(long offset, byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        lock (_lock)
        {
            for (var i = 0; i < bytes.Length; i += Sector)
            {
                _durable = _durable.SetItem(offset + i, bytes.AsSpan(i, Sector).ToArray());
            }
        }
    }

    private bool Spend()
    {
        Operations++;
        return _power.Spend();
    }
}
