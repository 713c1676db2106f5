using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Diagnostics;
using SharedPageCache.Faults;
using SharedPageCache.Mappings;

namespace SharedPageCache;

/// <summary>
/// An open file of a volume, read through the cache. A handle: several may be open on one file.
/// </summary>
/// <remarks>
/// <para>
/// Thread-safe. A read that finds its pages in memory takes no lock, writes nothing shared and allocates nothing. A read
/// inside one page sees that page before or after any change, never a mix; a read of several pages is a series of reads of
/// one page.
/// </para>
/// <para>
/// Reads are clipped to the file's length, as files do: a short count at the end, 0 behind it. Dispose closes the handle;
/// leases taken through it stay readable.
/// </para>
/// </remarks>
[DebuggerDisplay("{Name,nq} ({Id}), {Length} bytes")]
public sealed partial class MappedFile : IDisposable, IAsyncDisposable
{
    private readonly FileMapping _mapping;
    private readonly CacheEngine _engine;
    private readonly PageReader _reader;
    private int _closed;

    internal MappedFile(CachedVolume volume, CacheEngine engine, FileMapping mapping)
    {
        Volume = volume;
        _engine = engine;
        _reader = engine.Rooms.Reader;
        _mapping = mapping;
    }

    /// <summary>The volume that the file lies on.</summary>
    public CachedVolume Volume { get; }

    /// <summary>The engine's identity of the file.</summary>
    public FileId Id => _mapping.Id;

    /// <summary>The name given at open, or the id in words.</summary>
    public string Name => _mapping.Name ?? _mapping.Id.ToString();

    /// <summary>The length in bytes.</summary>
    public long Length => _mapping.Tree.Length;

    /// <summary>The engine's own object for the file.</summary>
    public IExtentMap Extents => _mapping.Extents;

    /// <summary>The trust domain of the file.</summary>
    public SecurityDomain Domain => _mapping.Domain;

    /// <summary>Whether this handle was closed.</summary>
    public bool IsClosed => Atomic.LoadAcquire(ref _closed) != 0;

    internal FileMapping Mapping => _mapping;

    internal int LeaseLimit => _engine.Leases.Limit;

    /// <summary>Reads if all of it is in memory. Never waits, never asks the engine, never reads the device.</summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="destination">
    /// Receives the bytes. If the method returns false nothing of the file is left in it: what was copied is cleared, the rest is as it was.
    /// </param>
    /// <param name="bytesRead">The number of bytes read: the length of the destination, or fewer at the end of the file.</param>
    /// <returns>Whether everything was in memory.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryRead(long offset, Span<byte> destination, out int bytesRead)
    {
        var (mapping, reader) = (_mapping, _reader);
        if (_closed != 0 || mapping.Volume.IsDetached || !PageReader.IsWords(destination)
            || !reader.TryCopyWords(mapping, offset, destination, out var use))
        {
            return TryReadInPage(offset, destination, out bytesRead);
        }

        bytesRead = destination.Length;
        return reader.IsUsual(mapping, offset, use) ? reader.CountHit() : reader.CountRareHit(mapping, offset);
    }

    /// <summary>Reads, blocking the thread if pages have to be loaded.</summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="destination">Receives the bytes.</param>
    /// <returns>The number of bytes read: fewer than asked at the end of the file, 0 at or behind it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    /// <exception cref="PageLoadException">The device failed; what was read before that page is in the destination.</exception>
    /// <exception cref="ExtentMapException">The engine's extents could not be had or are wrong.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Read(long offset, Span<byte> destination)
    {
        var (mapping, reader) = (_mapping, _reader);
        if (_closed != 0 || mapping.Volume.IsDetached || !PageReader.IsWords(destination)
            || !reader.TryCopyWords(mapping, offset, destination, out var use))
        {
            return ReadInPage(offset, destination);
        }

        _ = reader.IsUsual(mapping, offset, use) ? reader.CountHit() : reader.CountRareHit(mapping, offset);
        return destination.Length;
    }

    /// <summary>Reads; completes synchronously and allocates nothing if all is in memory.</summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="destination">Receives the bytes.</param>
    /// <param name="cancellationToken">Cancels this caller's wait; a load that others wait for goes on.</param>
    /// <returns>The number of bytes read: fewer than asked at the end of the file, 0 at or behind it.</returns>
    /// <inheritdoc cref="Read(long, Span{byte})" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken = default)
    {
        ThrowIfUnusable(offset);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<int>(cancellationToken);
        }

        if (_reader.TryCopyInOnePage(_mapping, _mapping.Tree, offset, destination.Span))
        {
            _reader.Hits.Add(1);
            return new ValueTask<int>(destination.Length);
        }

        return ReadPagesAsync(offset, destination, cancellationToken);
    }

    /// <summary>Leases the page at an offset if it is in memory and leases may hold one more frame.</summary>
    /// <param name="offset">A byte of the page, inside the file.</param>
    /// <param name="lease">The lease, which the caller disposes.</param>
    /// <returns>Whether the page was leased.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative or not inside the file.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryPin(long offset, out PageLease lease)
    {
        var (mapping, leases) = (_mapping, _engine.Leases);
        var tree = mapping.Tree;
        var frame = -1;
        if (_closed != 0 || mapping.Volume.IsDetached || (ulong)offset >= (ulong)tree.Length || !leases.TryTakeHot(mapping, tree, offset, out frame))
        {
            return TryPinAny(offset, frame, out lease);
        }

        lease = new PageLease(leases, frame, HolderTable.Untracked, leases.Span(frame, offset, tree.Length));
        return _reader.CountHit();
    }

    /// <summary>Leases the page at an offset, loading it if need be.</summary>
    /// <param name="offset">A byte of the page, inside the file.</param>
    /// <param name="cancellationToken">Cancels this caller's wait.</param>
    /// <returns>
    /// The lease, which the caller disposes. While leases hold all the frames that they may, the call waits for one to be
    /// given back.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative or not inside the file.</exception>
    /// <inheritdoc cref="ReadAsync(long, Memory{byte}, CancellationToken)" path="/exception"/>
    public ValueTask<PageMemoryLease> PinAsync(long offset, CancellationToken cancellationToken = default) =>
        PinAsync(offset, LoadManner.Plain, cancellationToken);

    private async ValueTask<PageMemoryLease> PinAsync(long offset, LoadManner manner, CancellationToken cancellationToken)
    {
        ThrowIfUnusable(offset);
        var tree = _mapping.Tree;
        ThrowIfOutside(offset, tree);
        var origin = _engine.Leases.Origin();
        var hold = await _engine.Leases.TakeAsync(
            _mapping, offset >> _engine.Rooms.PageShift, wanted: 1, waits: true, isOwnLoad: false, manner, cancellationToken)
            .ConfigureAwait(false);
        // As long as the file was when it was asked for: it may be shorter by now.
        return LeaseOf(hold, offset, tree.Length, origin);
    }

    /// <summary>Leases all pages of a range.</summary>
    /// <param name="offset">First byte, inside the file.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the file.</param>
    /// <param name="cancellationToken">Cancels this caller's wait.</param>
    /// <returns>The leases as one sequence, which the caller disposes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Offset or length is negative, or the offset is not inside the file.</exception>
    /// <exception cref="CacheCapacityException">The range has more pages than leases may hold together.</exception>
    /// <inheritdoc cref="ReadAsync(long, Memory{byte}, CancellationToken)" path="/exception"/>
    public async ValueTask<PageRangeLease> PinRangeAsync(
        long offset, long length, CancellationToken cancellationToken = default)
    {
        EngineCode.ThrowIfInCallback();
        return (await PinRangeAsync(offset, length, waits: true, LoadManner.Plain, cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Leases all pages of a range, for callers that need not wait for leases of others.</summary>
    /// <returns>The lease; null if leases may hold no more now and the caller does not wait for others to end.</returns>
    internal async ValueTask<PageRangeLease?> PinRangeAsync(
        long offset, long length, bool waits, LoadManner manner, CancellationToken cancellationToken)
    {
        ThrowIfUnusable(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        var tree = _mapping.Tree;
        ThrowIfOutside(offset, tree);
        var fileLength = tree.Length;
        var end = length > fileLength - offset ? fileLength : offset + length;
        var shift = _engine.Rooms.PageShift;
        var pages = end == offset ? 0 : (end - 1 >> shift) - (offset >> shift) + 1;
        if (pages > _engine.Leases.Limit)
        {
            throw new CacheCapacityException(
                $"A lease of {pages} pages was asked for; leases may hold {_engine.Leases.Limit} frames together.");
        }

        // Who meets the limit while it holds a part gives that back, waits for its turn, and only then waits for frames.
        var origin = _engine.Leases.Origin();
        var leases = new List<PageMemoryLease>((int)pages);
        if (!await TryPinPagesAsync(leases, offset, end, pages, waits: false, manner, origin, cancellationToken).ConfigureAwait(false))
        {
            if (!waits)
            {
                return null;
            }

            await _engine.Leases.RangeTurn.TakeAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await TryPinPagesAsync(leases, offset, end, pages, waits: true, manner, origin, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                _engine.Leases.RangeTurn.Give();
            }
        }

        return new PageRangeLease(leases);
    }

    /// <summary>
    /// Brings a range into memory in as few device reads as possible, several at a time. A page that cannot be loaded is
    /// left to whoever reads it.
    /// </summary>
    /// <remarks>
    /// Goes no further than the cache can hold: of a longer range it brings the beginning. Holes cost nothing, but it looks
    /// through no more than 512 pages of them for each frame of the cache.
    /// </remarks>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the file.</param>
    /// <param name="cancellationToken">Cancels the wait; loads under way go on.</param>
    /// <returns>A task that completes when the loads have ended.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Offset or length is negative.</exception>
    /// <inheritdoc cref="ReadAsync(long, Memory{byte}, CancellationToken)" path="/exception"/>
    public ValueTask PrefetchAsync(long offset, long length, CancellationToken cancellationToken = default) =>
        PrefetchAsync(offset, length, LoadManner.Plain, cancellationToken);

    private async ValueTask PrefetchAsync(long offset, long length, LoadManner manner, CancellationToken cancellationToken)
    {
        EngineCode.ThrowIfInCallback();
        ThrowIfUnusable(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        var fileLength = Length;
        var end = length > fileLength - offset ? fileLength : offset + length;
        if (end > offset)
        {
            var shift = _engine.Rooms.PageShift;
            await _engine.Faults.PrefetchAsync(_mapping, offset >> shift, end - 1 >> shift, manner, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Clones the file at this point in time: constant time and memory whatever its size, no I/O. All that is in memory of
    /// this file is in memory of the clone.
    /// </summary>
    /// <param name="options">Identity, name and domain of the clone, and whether it is sealed; default an anonymous file in the same domain.</param>
    /// <returns>The clone, which the caller disposes.</returns>
    /// <remarks>
    /// Calls <see cref="ICloneableExtentMap.Clone"/> if the engine has it; else the clone shares this file's extent map.
    /// </remarks>
    /// <exception cref="ArgumentException">The id is open already.</exception>
    /// <exception cref="NotSupportedException">The engine clones by a system call: use <see cref="CloneAsync"/>.</exception>
    /// <exception cref="CacheCapacityException">Metadata has used up the memory limit.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public MappedFile Clone(FileOpenOptions? options = null)
    {
        EngineCode.ThrowIfInCallback();
        ThrowIfUnusable(0);
        _engine.ThrowIfMetadataFull();
        if (_mapping.Extents is IAsyncCloneableExtentMap)
        {
            throw new NotSupportedException($"{_mapping.Extents.GetType().Name} clones by a system call: use CloneAsync.");
        }

        return new MappedFile(Volume, _engine, _mapping.Clone(FileOpenOptions.TermsOf(options, _mapping.Domain)));
    }

    /// <summary>
    /// The engine has changed this file's extents in a range while the old blocks live on: what the cache knows of the
    /// range is dropped from this file's tree. Other files are not affected.
    /// </summary>
    /// <remarks>
    /// Called once for each change of <see cref="IExtentMap.Sequence"/>, with a range that covers the whole change; with a
    /// length of 0 if nothing has to be dropped (blocks moved and <see cref="CachedVolume.Relocate"/> was called). While
    /// changes and calls do not balance, clones of the file begin with nothing in memory.
    /// </remarks>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">Offset or length is negative.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public void InvalidateExtents(long offset, long length)
    {
        EngineCode.ThrowIfInCallback();
        ThrowIfUnusable(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        var fileLength = Length;
        var end = length > fileLength - offset ? fileLength : offset + length;
        var shift = _engine.Rooms.PageShift + Window.Shift;
        _mapping.Invalidate(offset >> shift, end > offset ? end - 1 >> shift : -1);
    }

    /// <summary>What of the file is in memory, and its fair share of that. Costs in proportion to the file's windows.</summary>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public FileReport GetReport()
    {
        ThrowIfUnusable(0);
        return _engine.Report(_mapping);
    }

    /// <summary>
    /// A stream over the file, writable if the file is. It buffers nothing. Flush and FlushAsync of a stream that can be written are
    /// <see cref="FlushAsync(CancellationToken)"/>, whoever wrote to the file: they cost the device writes of its dirty pages, a flush of the device
    /// and the engine's persist, and throw what that throws. So do writers that flush when they are closed, as <see cref="StreamWriter"/> does.
    /// </summary>
    /// <param name="leaveOpen">Whether closing the stream leaves this handle open. Default true.</param>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public Stream OpenStream(bool leaveOpen = true)
    {
        ThrowIfUnusable(0);
        return new MappedFileStream(this, leaveOpen);
    }

    /// <summary>A pipe reader over the file that hands out the cache's own pages, without a copy.</summary>
    /// <param name="offset">Where to begin, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public PipeReader OpenPipeReader(long offset = 0)
    {
        ThrowIfUnusable(offset);
        return new MappedFilePipeReader(this, offset);
    }

    /// <summary>
    /// Closes the handle. The last handle of a file closes the file; pages stay cached by their blocks. Dirty pages stay
    /// with the volume, whose next flush writes them; until then the file is found again by its id, as it is.
    /// </summary>
    public void Dispose()
    {
        EngineCode.ThrowIfInCallback();
        if (Atomic.Exchange(ref _closed, 1) == 0)
        {
            _mapping.Volume.Close(_mapping);
        }
    }

    /// <summary>Writes back what is dirty, then closes the handle.</summary>
    /// <exception cref="CacheWritebackException">
    /// The file could not be made durable. The handle is closed; the pages stay dirty, and the volume's flush tries again.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The volume was detached before all was durable. The handle is closed.</exception>
    public async ValueTask DisposeAsync()
    {
        EngineCode.ThrowIfInCallback();
        try
        {
            if (!IsClosed && !_mapping.IsClosed && _mapping.IsWritable)
            {
                await FlushAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            Dispose();
        }
    }

    private static ReadOnlySpan<byte> Clip(ReadOnlySpan<byte> span, long length) =>
        span.Length > length ? span[..(int)length] : span;

    /// <summary>Leases all pages of a range, or none.</summary>
    private async ValueTask<bool> TryPinPagesAsync(
        List<PageMemoryLease> leases, long offset, long end, long pages, bool waits, LoadManner manner, StackTrace? origin,
        CancellationToken cancellationToken)
    {
        var isComplete = false;
        var ownEnd = 0L;
        try
        {
            for (var position = offset; position < end; position += leases[^1].Length)
            {
                var page = position >> _engine.Rooms.PageShift;
                var wanted = (int)(pages - leases.Count);
                var hold = await _engine.Leases.TakeAsync(_mapping, page, wanted, waits, page < ownEnd, manner, cancellationToken)
                    .ConfigureAwait(false);
                if (hold.Kind == PageHoldKind.None)
                {
                    return false;
                }

                ownEnd = hold.IsOwnLoad ? Math.Max(ownEnd, page + hold.Loaded) : ownEnd;
                leases.Add(LeaseOf(hold, position, end, origin));
            }

            return isComplete = true;
        }
        finally
        {
            if (!isComplete)
            {
                PageRangeLease.GiveAll(leases);
            }
        }
    }

    /// <summary>The lease of the rest of one page, clipped to an end.</summary>
    private PageMemoryLease LeaseOf(PageHold hold, long offset, long end, StackTrace? origin)
    {
        var inPage = (int)offset & (_engine.Rooms.PageSize - 1);
        var memory = _engine.Leases.Memory(hold)[inPage..];
        return new PageMemoryLease(
            _engine.Leases, hold.Frame, _engine.Leases.Enter(LeaseKind.Memory, _mapping, offset, hold, origin), memory[..(int)Math.Min(memory.Length, end - offset)]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ThrowIfUnusable(long offset)
    {
        if (_closed != 0 || offset < 0 || _mapping.Volume.IsDetached)
        {
            ThrowUnusable(offset);
        }
    }

    private void ThrowUnusable(long offset)
    {
        if (_closed != 0 || _mapping.Volume.IsDetached)
        {
            _mapping.ThrowIfClosed();
            throw new ObjectDisposedException(nameof(MappedFile), $"The handle of file {Name} is closed.");
        }

        throw new ArgumentOutOfRangeException(nameof(offset), offset, "The offset is negative.");
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ThrowIfOutside(long offset, PageTree tree)
    {
        if (offset >= tree.Length)
        {
            ThrowOutside(offset, tree);
        }
    }

    private static void ThrowOutside(long offset, PageTree tree) => throw new ArgumentOutOfRangeException(
        nameof(offset), offset, $"The offset {offset} is not inside the file, which has {tree.Length} bytes.");
}
