namespace SharedPageCache.TestKit.Logging;

/// <summary>
/// A write-ahead log on a device: records are appended in memory and forced to the device together, for all who wait
/// (group commit).
/// </summary>
/// <remarks>
/// <para>
/// <b>Nothing durable is written again.</b> Each force begins in a new block, so a torn write can only lose records that
/// nobody was told to be durable.
/// </para>
/// <para>
/// <b>Layout.</b> Two header blocks, then two halves. An epoch lives in one half; a checkpoint writes the whole state to the
/// other, flushes, and then the header: until that is durable the old epoch is whole.
/// </para>
/// <para>
/// <b>Locks.</b> <c>_lock</c> is innermost and held over no I/O. One force runs at a time; a failed one leaves its records to
/// the next, which writes them to the same blocks again. A header that could not be written may be on the device or not, so
/// nobody knows which epoch a recovery would read: from then on the log refuses everything, and the engine must be opened again.
/// </para>
/// </remarks>
internal sealed class WriteAheadLog
{
    private readonly Lock _lock = new();
    private readonly IBlockDevice _device;
    private readonly int _pageSize;
    private LogHeader _header;
    private List<byte[]> _pending = [];
    private long _pendingBytes;
    private long _used;
    private Lsn _end;
    private Lsn _durable;
    private Task? _force;
    private bool _isSwitching;
    private bool _isLost;

    private WriteAheadLog(IBlockDevice device, LogHeader header)
    {
        _device = device;
        _header = header;
        _pageSize = header.PageSize;
        _end = _durable = new Lsn(header.First.Value - 1);
    }

    public int PageSize => _pageSize;

    /// <summary>The newest record.</summary>
    public Lsn End
    {
        get
        {
            lock (_lock)
            {
                return _end;
            }
        }
    }

    /// <summary>The newest record that is on the device for certain.</summary>
    public Lsn Durable
    {
        get
        {
            lock (_lock)
            {
                return _durable;
            }
        }
    }

    /// <summary>How often records went to the device.</summary>
    public long Forces { get; private set; }

    /// <summary>Bytes for records that an epoch has.</summary>
    public long Capacity => HalfLength(_device);

    /// <summary>Bytes for records that are left in this epoch.</summary>
    public long Room
    {
        get
        {
            lock (_lock)
            {
                return Left();
            }
        }
    }

    /// <summary>An empty log, without an epoch: <see cref="SwitchAsync"/> begins the first.</summary>
    public static WriteAheadLog Create(IBlockDevice device, int pageSize)
    {
        if (HalfLength(device) < 4L * device.BlockSize)
        {
            throw new ArgumentException($"A device of {device.Length} bytes is too small for a log.", nameof(device));
        }

        return new WriteAheadLog(device, new LogHeader(0, new Lsn(1), pageSize));
    }

    /// <summary>The log that is on a device, and its records.</summary>
    /// <exception cref="InvalidDataException">There is no log on the device.</exception>
    public static async Task<(WriteAheadLog Log, List<LogRecord> Records)> OpenAsync(IBlockDevice device)
    {
        // After a process has died the log may be in a cache only, and pages will be written by what it says.
        await device.FlushAsync(CancellationToken.None).ConfigureAwait(false);
        var header = await ReadHeaderAsync(device).ConfigureAwait(false);
        var records = await ReadRecordsAsync(device, header).ConfigureAwait(false);
        var log = new WriteAheadLog(device, header);
        if (records.Count > 0)
        {
            log._end = log._durable = records[^1].Lsn;
        }

        // Behind the last good record there may be others that survived by luck: the epoch is only continued by a switch.
        log._used = log.Capacity;
        return (log, records);
    }

    /// <summary>The number of the newest record that is on a device, as a recovery would find it.</summary>
    public static async Task<Lsn> ReadEndAsync(IBlockDevice device)
    {
        var header = await ReadHeaderAsync(device).ConfigureAwait(false);
        var records = await ReadRecordsAsync(device, header).ConfigureAwait(false);
        return records.Count > 0 ? records[^1].Lsn : new Lsn(header.First.Value - 1);
    }

    /// <summary>Adds a record, in memory.</summary>
    /// <exception cref="LogFullException">There is no room; nothing was added.</exception>
    public Lsn Append(LogRecordKind kind, ReadOnlySpan<byte> payload)
    {
        lock (_lock)
        {
            ThrowIfLost();
            if (_isSwitching)
            {
                throw new InvalidOperationException("A change came during a checkpoint: change files by their LoggedFile only.");
            }

            var length = LogRecord.LengthOf(payload.Length);
            if (length > Left())
            {
                throw new LogFullException(length, Left());
            }

            _end = new Lsn(_end.Value + 1);
            _pending.Add(LogRecord.Encode(_end, _header.Epoch, kind, payload));
            _pendingBytes += length;
            return _end;
        }
    }

    /// <summary>Returns when a record, and all before it, are on the device.</summary>
    public async Task ForceAsync(Lsn lsn, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task force;
            lock (_lock)
            {
                if (_durable >= lsn)
                {
                    return;
                }

                if (lsn > _end)
                {
                    throw new ArgumentOutOfRangeException(nameof(lsn), lsn, $"The newest record of the log is {_end}.");
                }

                ThrowIfLost();
                force = _force ??= Task.Run(WriteAsync, CancellationToken.None);
            }

            await force.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Begins a new epoch, which holds these records first. Nobody appends meanwhile.</summary>
    public async Task SwitchAsync(IEnumerable<(LogRecordKind Kind, byte[] Payload)> state)
    {
        LogHeader header;
        lock (_lock)
        {
            _isSwitching = true;
            header = new LogHeader(_header.Epoch + 1, new Lsn(_end.Value + 1), _pageSize);
        }

        try
        {
            var lsn = _end;
            var records = new List<byte[]>();
            foreach (var (kind, payload) in state)
            {
                lsn = new Lsn(lsn.Value + 1);
                records.Add(LogRecord.Encode(lsn, header.Epoch, kind, payload));
            }

            var blocks = ToBlocks(records);
            if (blocks.Length > Capacity)
            {
                throw new LogFullException(blocks.Length, Capacity);
            }

            await WriteAllAsync(_device, HalfStart(_device, header.Epoch), blocks).ConfigureAwait(false);
            await _device.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            lock (_lock)
            {
                ThrowIfLost();
                _isLost = true;
            }

            await WriteAllAsync(_device, header.Epoch % 2 * _device.BlockSize, header.Encode(_device.BlockSize)).ConfigureAwait(false);
            await _device.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            lock (_lock)
            {
                (_header, _end, _durable, _used) = (header, lsn, lsn, blocks.Length);
                (_pending, _pendingBytes, _isLost) = ([], 0, false);
            }
        }
        finally
        {
            lock (_lock)
            {
                _isSwitching = false;
            }
        }
    }

    private async Task WriteAsync()
    {
        byte[] blocks;
        long at;
        int count;
        Lsn end;
        lock (_lock)
        {
            blocks = ToBlocks(_pending);
            (at, count, end) = (HalfStart(_device, _header.Epoch) + _used, _pending.Count, _end);
        }

        try
        {
            await WriteAllAsync(_device, at, blocks).ConfigureAwait(false);
            await _device.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            lock (_lock)
            {
                _pendingBytes -= _pending.Take(count).Sum(static record => (long)record.Length);
                _pending.RemoveRange(0, count);
                _used += blocks.Length;
                _durable = end;
                Forces++;
            }
        }
        finally
        {
            lock (_lock)
            {
                _force = null;
            }
        }
    }

    private void ThrowIfLost()
    {
        if (_isLost)
        {
            throw new IOException("The header of the log could not be written: open the engine again.");
        }
    }

    private byte[] ToBlocks(List<byte[]> records)
    {
        var length = records.Sum(static record => record.Length);
        var blocks = new byte[(length + _device.BlockSize - 1) / _device.BlockSize * _device.BlockSize];
        var at = 0;
        foreach (var record in records)
        {
            record.CopyTo(blocks, at);
            at += record.Length;
        }

        return blocks;
    }

    /// <summary>What is left if what is pending goes to the device in two forces, each of which fills up its last block.</summary>
    private long Left() => Math.Max(0, Capacity - _used - _pendingBytes - 2L * _device.BlockSize);

    internal static async Task WriteAllAsync(IBlockDevice device, long at, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var run = new BlockRun(at, bytes.Length);
            var written = await device.WriteAsync(run, default, [bytes], CancellationToken.None).ConfigureAwait(false);
            written -= written % device.BlockSize;
            if (written <= 0)
            {
                throw new IOException($"The device wrote nothing of {run}.");
            }

            at += written;
            bytes = bytes[written..];
        }
    }

    internal static async Task<byte[]> ReadAllAsync(IBlockDevice device, long at, long length)
    {
        var bytes = new byte[length];
        for (var done = 0; done < length;)
        {
            var read = await device
                .ReadAsync(new BlockRun(at + done, length - done), default, [bytes.AsMemory(done)], CancellationToken.None)
                .ConfigureAwait(false);
            read -= read % device.BlockSize;
            if (read <= 0)
            {
                throw new IOException($"The device read nothing at {at + done}.");
            }

            done += read;
        }

        return bytes;
    }

    private static async Task<LogHeader> ReadHeaderAsync(IBlockDevice device)
    {
        LogHeader? newest = null;
        for (var slot = 0; slot < 2; slot++)
        {
            var block = await ReadAllAsync(device, slot * device.BlockSize, device.BlockSize).ConfigureAwait(false);
            if (LogHeader.Decode(block) is { } header && !(newest?.Epoch > header.Epoch))
            {
                newest = header;
            }
        }

        return newest ?? throw new InvalidDataException("There is no log on the device.");
    }

    private static async Task<List<LogRecord>> ReadRecordsAsync(IBlockDevice device, LogHeader header)
    {
        var region = await ReadAllAsync(device, HalfStart(device, header.Epoch), HalfLength(device)).ConfigureAwait(false);
        return LogRecord.ReadAll(region, device.BlockSize, header.Epoch, header.First);
    }

    private static long HalfLength(IBlockDevice device) => (device.Length / device.BlockSize - 2) / 2 * device.BlockSize;

    private static long HalfStart(IBlockDevice device, long epoch) => 2L * device.BlockSize + epoch % 2 * HalfLength(device);
}
