using System.Buffers.Binary;
using System.Diagnostics;

namespace SharedPageCache.TestKit.Logging;

/// <summary>
/// A tiny storage engine that updates pages in place behind a write-ahead log: files of whole pages, clones, and nothing that is
/// committed is lost when the power goes. It is for tests of in-place placement, of torn pages and of the order of log and
/// pages, and an example of such an engine; it is not made for speed.
/// </summary>
/// <remarks>
/// <para>
/// <b>Pages.</b> The first <see cref="PageHeaderSize"/> bytes of each page hold the number of its newest log record; the
/// rest is the user's. A change appends its record first and then writes the page through the cache with the record's number,
/// so the page cannot reach the device before its record (<see cref="EnsureDurableAsync"/>).
/// </para>
/// <para>
/// <b>In place</b> if nobody shows the block but the owners of the dirty run, in the log as it is on the device: it is forced before such an answer.
/// Else a free block, which is free in that log too. A torn page is harmless, because the first record of each
/// page after a checkpoint holds the whole page.
/// </para>
/// <para>
/// <b>Metadata</b> is in the log alone: hooks and <see cref="Publish"/> append records in memory, <see cref="PersistAsync"/>
/// forces them, a checkpoint begins the log anew with all of it.
/// </para>
/// <para>
/// <b>Locks.</b> The latch orders changes of files among each other, and against checkpoints: a record and the write that it
/// describes are one step. It is held while the cache is called. <c>_lock</c> guards the metadata; it is taken by the ports and hooks, under the cache's
/// locks, and inside it only the log's own lock and the cache's <c>Discard</c>. No port and no hook takes the latch.
/// </para>
/// <para>Thread-safe. All changes go through <see cref="LoggedFile"/>; changes through its <c>MappedFile</c> are not logged.</para>
/// </remarks>
[DebuggerDisplay("{BlocksInUse} blocks in use, log up to {LogEnd}, durable up to {DurableLsn}")]
public sealed partial class LoggedEngine
{
    /// <summary>The bytes of each page that are the engine's.</summary>
    public const int PageHeaderSize = 8;

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _latch = new(1);
    private readonly IBlockDevice _device;
    private readonly WriteAheadLog _log;
    private readonly LoggedState _state;
    private readonly Dictionary<int, LoggedFile> _open = [];
    private readonly HashSet<long> _placed = [];
    private readonly SortedSet<long> _free = [];
    private CachedVolume? _volume;
    private string? _nameOfNextClone;
    private Lsn _newestChange;

    private LoggedEngine(IBlockDevice device, WriteAheadLog log, LoggedState state)
    {
        (_device, _log, _state) = (device, log, state);
        state.Freed = Release;
        for (var block = 0; block < state.BlockCount; block++)
        {
            if (state.ReferencesTo(block) == 0)
            {
                _free.Add(block);
            }
        }
    }

    /// <summary>The page size in bytes; the cache must have the same.</summary>
    public int PageSize => _log.PageSize;

    /// <summary>How many bytes of a page are the user's.</summary>
    public int PayloadSize => PageSize - PageHeaderSize;

    /// <summary>The newest record of the log.</summary>
    public Lsn LogEnd => _log.End;

    /// <summary>The newest record that is on the log's device for certain.</summary>
    public Lsn DurableLsn => _log.Durable;

    /// <summary>How often records went to the log's device; all who wait share one force.</summary>
    public long LogForces => _log.Forces;

    /// <summary>Pages that recovery made from the log when the engine was opened.</summary>
    public int PagesRedone { get; private init; }

    /// <summary>Checkpoints so far.</summary>
    public long Checkpoints { get; private set; }

    /// <summary>Pages that were placed where they were.</summary>
    public long PlacedInPlace { get; private set; }

    /// <summary>Pages that got another block, or their first.</summary>
    public long PlacedAnew { get; private set; }

    /// <summary>Blocks that a file shows, or that are placed.</summary>
    public int BlocksInUse
    {
        get
        {
            lock (_lock)
            {
                return _state.BlockCount - _free.Count;
            }
        }
    }

    /// <summary>The names of all files, in the order of their making.</summary>
    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_lock)
            {
                return [.. _state.Files.Values.Select(static file => file.Name)];
            }
        }
    }

    /// <summary>Makes an engine without files.</summary>
    /// <param name="device">The device of the pages.</param>
    /// <param name="log">The device of the log: at least ten blocks.</param>
    /// <param name="pageSize">The page size in bytes.</param>
    /// <returns>The engine, which is on the devices.</returns>
    public static async Task<LoggedEngine> CreateAsync(IBlockDevice device, IBlockDevice log, int pageSize)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(log);
        var writeAheadLog = WriteAheadLog.Create(log, pageSize);
        var engine = new LoggedEngine(device, writeAheadLog, new LoggedState(device.Length / pageSize));
        await engine._log.SwitchAsync(engine._state.Snapshot()).ConfigureAwait(false);
        return engine;
    }

    /// <summary>Opens an engine, and recovers it.</summary>
    /// <param name="device">The device of the pages.</param>
    /// <param name="log">The device of the log.</param>
    /// <returns>The engine, with everything that the log on the device says.</returns>
    /// <exception cref="InvalidDataException">There is no log, or it contradicts itself.</exception>
    public static async Task<LoggedEngine> OpenAsync(IBlockDevice device, IBlockDevice log)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(log);
        var (writeAheadLog, records) = await WriteAheadLog.OpenAsync(log).ConfigureAwait(false);
        var state = new LoggedState(device.Length / writeAheadLog.PageSize);
        var recovery = new Recovery(state, writeAheadLog.PageSize);
        recovery.Replay(records);
        await recovery.WriteAsync(device).ConfigureAwait(false);
        await writeAheadLog.SwitchAsync(state.Snapshot()).ConfigureAwait(false);
        return new LoggedEngine(device, writeAheadLog, state) { PagesRedone = recovery.PagesRedone };
    }

    /// <summary>The newest record that a recovery would find on a log's device at this moment.</summary>
    /// <param name="log">The device.</param>
    /// <returns>Its number.</returns>
    public static async Task<Lsn> ReadLogEndAsync(IBlockDevice log) => await WriteAheadLog.ReadEndAsync(log).ConfigureAwait(false);

    /// <summary>The number of the newest record that a page holds.</summary>
    /// <param name="page">The page, as it is in a file or on the device.</param>
    /// <returns>The number.</returns>
    public static Lsn LsnOf(ReadOnlySpan<byte> page) => new(BinaryPrimitives.ReadUInt64LittleEndian(page));

    /// <summary>Attaches the engine to a cache. Once.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="placement">What stands before this engine's ports; null for nothing.</param>
    /// <param name="device">What stands before its device; null for nothing.</param>
    /// <returns>The volume, which the caller disposes.</returns>
    public CachedVolume Attach(PageCache cache, IPlacementEngine? placement = null, IBlockDevice? device = null)
    {
        ArgumentNullException.ThrowIfNull(cache);
        if (_volume is not null)
        {
            throw new InvalidOperationException("The engine is attached already.");
        }

        var volume = cache.AttachVolume(device ?? _device, new VolumeOptions { Placement = placement ?? this, Name = "logged" });
        if (volume.PageSize != PageSize)
        {
            volume.Dispose();
            throw new ArgumentException($"The cache has pages of {volume.PageSize} bytes, the engine of {PageSize}.", nameof(cache));
        }

        return _volume = volume;
    }

    /// <summary>Makes a file of holes.</summary>
    /// <param name="name">Its name, which no other file has.</param>
    /// <param name="pages">Its length in pages.</param>
    /// <returns>The file, open.</returns>
    public async Task<LoggedFile> CreateFileAsync(string name, long pages)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        LoggedFile file;
        using (await EnterAsync().ConfigureAwait(false))
        {
            lock (_lock)
            {
                ThrowIfTaken(name);
                LogChange(LogRecordKind.Create, LogRecord.Pack([_state.NextId], name));
                file = Open(_state.Create(_state.NextId, name));
            }

            Map(file);
            await file.Mapped.SetLengthAsync(pages * PageSize).ConfigureAwait(false);
        }

        return file;
    }

    /// <summary>Opens a file.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>The file; the same one each time, until it is disposed.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public LoggedFile OpenFile(string name)
    {
        LoggedFile file;
        lock (_lock)
        {
            var state = _state.Files.Values.FirstOrDefault(file => file.Name == name)
                ?? throw new FileNotFoundException($"There is no file '{name}'.", name);
            if (_open.TryGetValue(state.Id, out var known))
            {
                return known;
            }

            file = Open(state);
        }

        Map(file);
        return file;
    }

    /// <summary>Returns when every change that was made before the call is in the log on its device: it survives a crash.</summary>
    /// <param name="cancellationToken">Cancels the wait, not the work.</param>
    /// <returns>A task.</returns>
    public Task CommitAsync(CancellationToken cancellationToken = default) => _log.ForceAsync(_log.End, cancellationToken);

    /// <summary>Writes all that is dirty, and begins the log anew.</summary>
    /// <returns>A task.</returns>
    public async Task CheckpointAsync()
    {
        using (await EnterAsync().ConfigureAwait(false))
        {
            await CheckpointInsideAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Counts everything again.</summary>
    /// <returns>What is wrong, in words; empty if all is well.</returns>
    public IReadOnlyList<string> Check()
    {
        lock (_lock)
        {
            return
            [
                .. _state.Faults(),
                .. _free.Where(block => _state.ReferencesTo(block) != 0).Select(static block => $"Block {block} is free and shown."),
                .. Enumerable.Range(0, _state.BlockCount)
                    .Where(block => _state.ReferencesTo(block) == 0 && !_placed.Contains(block) && !_free.Contains(block))
                    .Select(static block => $"Block {block} is lost."),
            ];
        }
    }

    internal Lock Sync => _lock;

    internal LoggedState State => _state;

    internal WriteAheadLog Log => _log;

    /// <summary>The latch, until it is disposed; there is room in the log for a change of a page.</summary>
    internal async Task<Latch> EnterAsync()
    {
        await _latch.WaitAsync().ConfigureAwait(false);
        var latch = new Latch(_latch);
        try
        {
            // A quarter is for the ports and hooks, which cannot wait for a checkpoint.
            if (_volume is not null && _log.Room < _log.Capacity / 4 + 2 * PageSize)
            {
                await CheckpointInsideAsync().ConfigureAwait(false);
            }

            return latch;
        }
        catch
        {
            latch.Dispose();
            throw;
        }
    }

    /// <summary>Logs a change of the metadata. Under <see cref="Sync"/>; if there is no room nothing has happened.</summary>
    internal void LogChange(LogRecordKind kind, ReadOnlySpan<byte> payload) => _newestChange = _log.Append(kind, payload);

    /// <summary>The engine's object for the clone that the cache is about to make. Under <see cref="Sync"/>.</summary>
    internal LoggedFile CloneInside(FileState source)
    {
        var name = _nameOfNextClone ?? $"{source.Name}-{_state.NextId}";
        _nameOfNextClone = null;
        ThrowIfTaken(name);
        LogChange(LogRecordKind.Clone, LogRecord.Pack([source.Id, _state.NextId], name));
        return Open(_state.Clone(source, _state.NextId, name));
    }

    /// <summary>The clone that was named was not made.</summary>
    internal void ForgetNextClone()
    {
        lock (_lock)
        {
            _nameOfNextClone = null;
        }
    }

    /// <summary>Says how the clone is called that the holder of the latch is about to make, and gives its id.</summary>
    internal FileId NameNextClone(string name)
    {
        lock (_lock)
        {
            ThrowIfTaken(name);
            _nameOfNextClone = name;
            return FileId.FromNumber((ulong)_state.NextId);
        }
    }

    internal void Close(LoggedFile file)
    {
        lock (_lock)
        {
            _open.Remove(file.State.Id);
        }
    }

    private async Task CheckpointInsideAsync()
    {
        if (_volume is not null)
        {
            await _volume.FlushAsync().ConfigureAwait(false);
        }

        await _log.ForceAsync(_log.End, CancellationToken.None).ConfigureAwait(false);
        List<(LogRecordKind, byte[])> snapshot;
        lock (_lock)
        {
            snapshot = [.. _state.Snapshot()];
            foreach (var file in _open.Values)
            {
                file.ForgetImages();
            }
        }

        await _log.SwitchAsync(snapshot).ConfigureAwait(false);
        Checkpoints++;
    }

    private LoggedFile Open(FileState state)
    {
        var file = new LoggedFile(this, state);
        _open.Add(state.Id, file);
        return file;
    }

    private void Map(LoggedFile file)
    {
        var volume = _volume ?? throw new InvalidOperationException("The engine is not attached to a cache.");
        var options = new FileOpenOptions { Id = FileId.FromNumber((ulong)file.State.Id), Name = file.State.Name };
        file.Mapped = volume.OpenFile(file, file.Pages * PageSize, options);
    }

    private void ThrowIfTaken(string name)
    {
        if (_state.Files.Values.Any(file => file.Name == name))
        {
            throw new IOException($"There is a file '{name}' already.");
        }
    }

    /// <summary>Holds the latch.</summary>
    internal readonly struct Latch(SemaphoreSlim latch) : IDisposable
    {
        public void Dispose() => latch.Release();
    }
}
