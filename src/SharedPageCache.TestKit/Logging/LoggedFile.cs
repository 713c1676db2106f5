using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;

namespace SharedPageCache.TestKit.Logging;

/// <summary>A file of a <see cref="LoggedEngine"/>: whole pages, of which each begins with the engine's header.</summary>
/// <remarks>Thread-safe. Offsets are those of the payload, behind the header. The members that say Hook are for the cache.</remarks>
[DebuggerDisplay("{Name,nq}, {Pages} pages")]
public sealed class LoggedFile : IWritableExtentMap, IAsyncDisposable
{
    private readonly LoggedEngine _engine;
    private readonly HashSet<long> _images = [];
    private MappedFile? _mapped;
    private long _sequence;

    internal LoggedFile(LoggedEngine engine, FileState state) => (_engine, State) = (engine, state);

    /// <summary>Its name.</summary>
    public string Name => State.Name;

    /// <summary>Its length in pages.</summary>
    public long Pages
    {
        get
        {
            lock (_engine.Sync)
            {
                return State.Pages;
            }
        }
    }

    /// <summary>The file as the cache shows it: to read, lease and flush. What is written here is not logged.</summary>
    public MappedFile Mapped
    {
        get => _mapped ?? throw new InvalidOperationException($"{Name} is not open.");
        internal set => _mapped = value;
    }

    /// <inheritdoc/>
    public long Sequence => Interlocked.Read(ref _sequence);

    internal FileState State { get; }

    /// <summary>Overwrites a part of a page: a record first, then the page, as one step.</summary>
    /// <param name="page">The page, inside the file.</param>
    /// <param name="offset">First byte of the payload.</param>
    /// <param name="bytes">The bytes, which end inside the page.</param>
    /// <returns>The number of the record; the change survives a crash once the log is durable up to it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The place is not in the file.</exception>
    public async Task<Lsn> UpdateAsync(long page, int offset, ReadOnlyMemory<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(page);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, _engine.PayloadSize - offset);
        using (await _engine.EnterAsync().ConfigureAwait(false))
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(page, Pages);
            var image = new byte[_engine.PageSize];
            await Mapped.ReadAsync(page * _engine.PageSize, image).ConfigureAwait(false);
            bytes.CopyTo(image.AsMemory(LoggedEngine.PageHeaderSize + offset));
            Lsn lsn;
            lock (_engine.Sync)
            {
                // Not listed again until the page is written: if that fails, the next record holds all of it, and undoes this one.
                lsn = _images.Remove(page)
                    ? _engine.Log.Append(LogRecordKind.PageChange, LogRecord.Pack([State.Id, page, offset], bytes.Span))
                    : _engine.Log.Append(LogRecordKind.PageImage, LogRecord.Pack([State.Id, page], image.AsSpan(LoggedEngine.PageHeaderSize)));
            }

            BinaryPrimitives.WriteUInt64LittleEndian(image, lsn.Value);
            await Mapped.WriteAsync(page * _engine.PageSize, image, lsn).ConfigureAwait(false);
            lock (_engine.Sync)
            {
                _images.Add(page);
            }

            return lsn;
        }
    }

    /// <summary>Reads the payload of a page.</summary>
    /// <param name="page">The page; behind the end everything is zero.</param>
    /// <returns>The payload.</returns>
    public async Task<byte[]> ReadAsync(long page)
    {
        var bytes = new byte[_engine.PageSize];
        await Mapped.ReadAsync(page * _engine.PageSize, bytes).ConfigureAwait(false);
        return bytes[LoggedEngine.PageHeaderSize..];
    }

    /// <summary>Makes the file shorter or longer; new pages are holes.</summary>
    /// <param name="pages">Its length in pages.</param>
    /// <returns>A task.</returns>
    public async Task SetPagesAsync(long pages)
    {
        using (await _engine.EnterAsync().ConfigureAwait(false))
        {
            await Mapped.SetLengthAsync(pages * _engine.PageSize).ConfigureAwait(false);
        }
    }

    /// <summary>Makes pages holes.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <returns>A task.</returns>
    public async Task PunchAsync(long first, long count)
    {
        using (await _engine.EnterAsync().ConfigureAwait(false))
        {
            await Mapped.PunchHoleAsync(first * _engine.PageSize, count * _engine.PageSize).ConfigureAwait(false);
        }
    }

    /// <summary>Clones the file, dirty pages and all, without I/O.</summary>
    /// <param name="name">The clone's name, which no other file has.</param>
    /// <returns>The clone, open.</returns>
    public async Task<LoggedFile> CloneAsync(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        using (await _engine.EnterAsync().ConfigureAwait(false))
        {
            try
            {
                var mapped = Mapped.Clone(new FileOpenOptions { Name = name, Id = _engine.NameNextClone(name) });
                var clone = (LoggedFile)mapped.Extents;
                clone.Mapped = mapped;
                return clone;
            }
            finally
            {
                _engine.ForgetNextClone();
            }
        }
    }

    /// <summary>Deletes the file and closes it. What is dirty of it is never written.</summary>
    /// <returns>A task.</returns>
    public async Task DeleteAsync()
    {
        using (await _engine.EnterAsync().ConfigureAwait(false))
        {
            Mapped.Delete();
            _engine.Close(this);
        }
    }

    /// <summary>Makes all durable that was changed before the call, on the pages' device too.</summary>
    /// <returns>A task.</returns>
    public ValueTask FlushAsync() => Mapped.FlushAsync();

    /// <summary>Writes what is dirty, and closes the file.</summary>
    /// <returns>A task.</returns>
    public async ValueTask DisposeAsync()
    {
        if (_mapped is { } mapped)
        {
            await mapped.DisposeAsync().ConfigureAwait(false);
            _engine.Close(this);
        }
    }

    /// <inheritdoc/>
    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var size = _engine.PageSize;
        lock (_engine.Sync)
        {
            foreach (var (page, block) in State.Blocks)
            {
                if (page * size < offset + length && (page + 1) * size > offset)
                {
                    destination.Write([new Extent(page * size, size, block * size)]);
                }
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Hook.</summary>
    /// <returns>The clone.</returns>
    public IExtentMap Clone()
    {
        lock (_engine.Sync)
        {
            return _engine.CloneInside(State);
        }
    }

    /// <summary>Hook.</summary>
    /// <inheritdoc/>
    public void SetLength(long newLength)
    {
        if (newLength % _engine.PageSize != 0)
        {
            throw new NotSupportedException($"Files have whole pages: {newLength} is no multiple of {_engine.PageSize}.");
        }

        var pages = newLength / _engine.PageSize;
        Change(LogRecordKind.SetPages, [State.Id, pages], () => _engine.State.SetPages(State, pages), pages, long.MaxValue);
    }

    /// <summary>Hook.</summary>
    /// <inheritdoc/>
    public void PunchHole(long offset, long length)
    {
        var (first, count) = (offset / _engine.PageSize, length / _engine.PageSize);
        Change(LogRecordKind.Punch, [State.Id, first, count], () => _engine.State.Punch(State, first, count), first, count);
    }

    /// <summary>Hook.</summary>
    /// <inheritdoc/>
    public void CloneRange(IExtentMap source, long sourceOffset, long destinationOffset, long length)
    {
        var from = ((LoggedFile)source).State;
        var size = _engine.PageSize;
        var (sourcePage, page, count) = (sourceOffset / size, destinationOffset / size, length / size);
        Change(
            LogRecordKind.CloneRange, [from.Id, sourcePage, State.Id, page, count],
            () => _engine.State.CloneRange(from, sourcePage, State, page, count), page, count);
    }

    /// <summary>Hook.</summary>
    public void Delete() => Change(LogRecordKind.Delete, [State.Id], () => _engine.State.Delete(State), 0, long.MaxValue);

    /// <inheritdoc/>
    public override string ToString() => State.ToString();

    internal void Advance() => Interlocked.Increment(ref _sequence);

    /// <summary>After a checkpoint the log holds no image of any page.</summary>
    internal void ForgetImages() => _images.Clear();

    /// <summary>Logs a change and makes it; if the log is full nothing has changed. Pages of a range have no image in the log any more.</summary>
    private void Change(LogRecordKind kind, ReadOnlySpan<long> numbers, Action change, long first, long count)
    {
        lock (_engine.Sync)
        {
            _engine.LogChange(kind, LogRecord.Pack(numbers));
            Advance();
            change();
            _images.RemoveWhere(page => page >= first && page - first < count);
        }
    }
}
