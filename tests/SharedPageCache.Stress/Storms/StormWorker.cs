using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress.Storms;

/// <summary>One thread of a storm: opens, clones, reads in every way, and checks what it gets.</summary>
internal sealed partial class StormWorker
{
    private readonly Storm _storm;
    private readonly Dice _dice;
    private readonly byte[] _buffer;
    private readonly byte[] _copy;
    private Moment[] _since = [];
    private long _firstSince;
    private string _doing = "nothing";

    public StormWorker(Storm storm, int number)
    {
        _storm = storm;
        _dice = new Dice(Dice.Mix(storm.Options.Seed, (ulong)(number + 10)));
        _buffer = new byte[Math.Max(64 << 10, 9 * storm.Options.PageSize)];
        _copy = new byte[storm.Options.PageSize];
    }

    public long Operations { get; private set; }

    public long WordsChecked { get; private set; }

    public long Exceptions { get; private set; }

    public long Starved { get; private set; }

    private int PageSize => _storm.Options.PageSize;

    private bool HasHints => _storm.Options.HasHints;

    private ReadHint Hint() => (ReadHint)_dice.Below((int)ReadHint.DontNeed + 1);

    public void Run()
    {
        while (!_storm.IsStopped)
        {
            var handle = _storm.PickHandle(_dice);
            try
            {
                Operations++;
                Act(handle);
            }
            catch (Exception error) when (IsAllowed(error, handle))
            {
                Exceptions++;
            }
            catch (Exception error)
            {
                _storm.Fail(error is StormFailure ? error : new StormFailure($"{_doing} on {handle.Inode}: {error}", error));
                return;
            }
        }

        _doing = "nothing";
    }

    /// <summary>Reads a file from end to end (of what it has beside long holes), in pieces.</summary>
    public void ReadAll(OpenHandle handle)
    {
        var layout = handle.Inode.Layout;
        var end = Math.Min(layout.Length, layout.Base + (long)layout.Blocks.Length * handle.Inode.Engine.BlockSize + PageSize);
        for (var offset = Math.Max(0, layout.Base - PageSize); offset < end;)
        {
            var count = (int)Math.Min(_buffer.Length, end - offset);
            Capture(handle, offset, count);
            Check(handle, offset, _buffer.AsSpan(0, handle.File.Read(offset, _buffer.AsSpan(0, count))));
            offset += count;
        }
    }

    /// <summary>The reverse query is complete for pages just read, and sound. At rest.</summary>
    public void CheckReferences(OpenHandle handle)
    {
        var (layout, size) = (handle.Inode.Layout, handle.Inode.Engine.BlockSize);
        for (var i = 0; i < 10; i++)
        {
            var unit = _dice.Below(layout.Blocks.Length);
            var offset = layout.Base + (long)unit * size;
            if (layout.Blocks[unit] < 0 || offset >= layout.Length)
            {
                continue;
            }

            handle.File.Read(offset, _buffer.AsSpan(0, 8));
            var blocks = new BlockRun((long)layout.Blocks[unit] * size, size);
            var found = false;
            foreach (var place in handle.File.Volume.FindReferences(blocks))
            {
                CheckPlace(place);
                found |= place.Extents == handle.Inode && place.Offset == offset;
            }

            if (!found)
            {
                throw new StormFailure($"L16: {handle.Inode} shows {blocks} at {offset}, but the reverse query does not say so.");
            }
        }
    }

    public override string ToString() => $"{_doing}, {Operations} operations";

    private void Act(OpenHandle handle)
    {
        switch (_dice.Below(100))
        {
            case < 30:
                Read(handle);
                break;
            case < 45:
                ReadAsync(handle);
                break;
            case < 60:
                TryRead(handle);
                break;
            case < 70:
                LeaseOnStack(handle);
                break;
            case < 77:
                LeaseOnHeap(handle);
                break;
            case < 80:
                LeaseRange(handle);
                break;
            case < 84:
                Prefetch(handle);
                break;
            case < 92:
                Clone(handle);
                break;
            case < 95:
                _doing = "open";
                _storm.Replace(_dice, _storm.OpenBase(_dice));
                break;
            case < 97:
                ReverseQuery(handle);
                break;
            case < 98:
                Report(handle);
                break;
            case < 99:
                Copy(handle);
                break;
            default:
                ReadPipe(handle);
                break;
        }
    }

    private void Read(OpenHandle handle)
    {
        _doing = "Read";
        var (offset, count) = PickRange(handle);
        Capture(handle, offset, count);
        Soil(count);
        var into = _buffer.AsSpan(0, count);
        var read = HasHints ? handle.File.Read(offset, into, Hint()) : handle.File.Read(offset, into);
        if (HasHints && _dice.OneIn(6))
        {
            handle.File.Demote(offset, count * 4L);
        }

        CheckCount(handle, offset, count, read);
        Check(handle, offset, _buffer.AsSpan(0, read));
    }

    private void ReadAsync(OpenHandle handle)
    {
        _doing = "ReadAsync";
        var (offset, count) = PickRange(handle);
        Capture(handle, offset, count);
        Soil(count);
        using var source = _dice.OneIn(10) ? new CancellationTokenSource() : null;
        var (into, token) = (_buffer.AsMemory(0, count), source?.Token ?? default);
        var reading = HasHints ? handle.File.ReadAsync(offset, into, Hint(), token) : handle.File.ReadAsync(offset, into, token);
        source?.Cancel();
        int read;
        try
        {
            read = Wait(reading);
        }
        catch (OperationCanceledException) when (source is not null)
        {
            // What was read before is right, the rest untouched or cleared; a cancelled reader must not look at it.
            return;
        }

        CheckCount(handle, offset, count, read);
        Check(handle, offset, _buffer.AsSpan(0, read));
    }

    private void TryRead(OpenHandle handle)
    {
        _doing = "TryRead";
        var (offset, count) = PickRange(handle);
        Capture(handle, offset, count);
        Soil(count);
        if (handle.File.TryRead(offset, _buffer.AsSpan(0, count), out var read))
        {
            CheckCount(handle, offset, count, read);
            Check(handle, offset, _buffer.AsSpan(0, read));
        }
        else
        {
            // C10: a failed copy leaves nothing behind. What was copied is cleared, the rest was not touched.
            var rest = _buffer.AsSpan(0, count);
            var cleared = rest.IndexOfAnyExcept((byte)0);
            if (read != 0 || (cleared >= 0 && rest[cleared..].IndexOfAnyExcept((byte)0xA5) >= 0))
            {
                throw new StormFailure($"C10: a failed TryRead of {count} bytes at {offset} of {handle.Inode} left bytes behind.");
            }
        }
    }

    private void LeaseOnStack(OpenHandle handle)
    {
        _doing = "TryPin";
        var (offset, _) = PickRange(handle);
        Capture(handle, offset, PageSize);
        if (!handle.File.TryPin(offset, out var lease))
        {
            return;
        }

        using (lease)
        {
            Check(handle, offset, lease.Span);
            lease.Span.CopyTo(_copy);
            var length = lease.Span.Length;
            Meanwhile();
            if (!lease.Span.SequenceEqual(_copy.AsSpan(0, length)))
            {
                throw new StormFailure($"I5, C4: the bytes of a lease at {offset} of {handle.Inode} changed: {Explain(lease.Span)}");
            }
        }
    }

    private void LeaseOnHeap(OpenHandle handle)
    {
        _doing = "PinAsync";
        var (offset, _) = PickRange(handle);
        Capture(handle, offset, PageSize);
        using var patience = new CancellationTokenSource(Patience);
        var pinning = HasHints ? handle.File.PinAsync(offset, Hint(), patience.Token) : handle.File.PinAsync(offset, patience.Token);
        using var lease = Await(pinning, "PinAsync");
        Check(handle, offset, lease.Memory.Span);
        lease.Memory.CopyTo(_copy);
        Meanwhile();
        if (!lease.Memory.Span.SequenceEqual(_copy.AsSpan(0, lease.Length)))
        {
            throw new StormFailure($"I5, C4: the bytes of a lease at {offset} of {handle.Inode} changed: {Explain(lease.Memory.Span)}");
        }

        if (_dice.OneIn(4))
        {
            lease.Dispose();
        }
    }

    private void LeaseRange(OpenHandle handle)
    {
        _doing = "PinRangeAsync";
        var (offset, count) = PickRange(handle);
        Capture(handle, offset, count);
        using var patience = new CancellationTokenSource(Patience);
        PageRangeLease range;
        try
        {
            range = Await(handle.File.PinRangeAsync(offset, count, patience.Token), "PinRangeAsync");
        }
        catch (CacheCapacityException) when (count / PageSize + 2 > _storm.Cache.GetStatistics().LeaseLimit)
        {
            return;
        }

        using (range)
        {
            var position = offset;
            foreach (var piece in range.Sequence)
            {
                Check(handle, position, piece.Span);
                position += piece.Length;
            }

            CheckCount(handle, offset, count, (int)(position - offset));
        }
    }

    private void Prefetch(OpenHandle handle)
    {
        _doing = "PrefetchAsync";
        var (offset, count) = PickRange(handle);
        using var source = _dice.OneIn(5) ? new CancellationTokenSource() : null;
        var (length, token) = (_dice.OneIn(2) ? count : count * 4L, source?.Token ?? default);
        var prefetching = HasHints ? handle.File.PrefetchAsync(offset, length, Hint(), token) : handle.File.PrefetchAsync(offset, length, token);
        source?.Cancel();
        try
        {
            Wait(prefetching);
        }
        catch (OperationCanceledException) when (source is not null)
        {
            // As asked.
        }
    }

    private void Clone(OpenHandle handle)
    {
        _doing = "Clone";
        var file = Clone(handle.File, handle.Inode.Engine);
        var inode = (Inode)file.Extents;
        inode.Engine.Register(inode, file);
        if (file.Length != handle.File.Length)
        {
            throw new StormFailure($"C5: a clone of {handle.File.Length} bytes has {file.Length}.");
        }

        _storm.Replace(_dice, new OpenHandle(file, inode));
    }

    private MappedFile Clone(MappedFile file, StormEngine engine)
    {
        if (!_storm.Options.QuietClones)
        {
            return file.Clone();
        }

        lock (engine.StepLock)
        {
            return file.Clone();
        }
    }

    private void ReverseQuery(OpenHandle handle)
    {
        _doing = "FindReferences";
        var size = handle.Inode.Engine.BlockSize;
        var blocks = handle.Inode.Engine.Device.Length / size;
        var first = _dice.Below(blocks);
        var run = new BlockRun(first * size, Math.Min(_dice.From(1, 8), blocks - first) * size);
        var seen = 0;
        foreach (var place in handle.File.Volume.FindReferences(run))
        {
            if (!_storm.Options.HasEngine)
            {
                CheckPlace(place);
            }

            if (++seen > 500 && _dice.OneIn(100))
            {
                break;
            }
        }
    }

    private void CheckPlace(PageLocation place)
    {
        if (!StormEngine.Shows((Inode)place.Extents, place.Offset, place.Blocks))
        {
            throw new StormFailure($"L16: the reverse query says that {place.Extents} shows {place.Blocks} at {place.Offset}; it does not.");
        }
    }

    private void Report(OpenHandle handle)
    {
        _doing = "GetReport";
        var report = handle.File.GetReport();
        if (report.ResidentBytes < 0 || report.UsedBytes < 0 || report.UsedBytes > report.ResidentBytes
            || report.SharedBytes > report.UsedBytes || report.ProportionalBytes > report.UsedBytes)
        {
            throw new StormFailure($"I6: the report of {handle.Inode} makes no sense: {report}");
        }

        _ = _storm.Cache.Dump();
    }

    private void Copy(OpenHandle handle)
    {
        _doing = "OpenStream";
        var (offset, _) = PickRange(handle);
        using var stream = handle.File.OpenStream();
        stream.Position = offset;
        for (var i = 0; i < 3; i++)
        {
            var position = stream.Position;
            Capture(handle, position, 5000);
            var read = stream.Read(_buffer, 0, 5000);
            Check(handle, position, _buffer.AsSpan(0, read));
        }
    }

    private void ReadPipe(OpenHandle handle)
    {
        _doing = "OpenPipeReader";
        var (offset, _) = PickRange(handle);
        var reader = handle.File.OpenPipeReader(offset);
        try
        {
            for (var i = 0; i < 3; i++)
            {
                using var patience = new CancellationTokenSource(Patience);
                Capture(handle, offset, 5 * PageSize);
                var result = Await(reader.ReadAsync(patience.Token), "PipeReader.ReadAsync");
                var position = offset;
                foreach (var piece in result.Buffer)
                {
                    Check(handle, position, piece.Span);
                    position += piece.Length;
                }

                // Everything is taken, so that the next read begins where this one has ended, under new histories.
                offset = position;
                reader.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (CacheCapacityException) when (_storm.Cache.GetStatistics().LeaseLimit < 6)
        {
            // Four pages and their neighbours are more than leases may hold.
        }
        finally
        {
            reader.Complete();
        }
    }

    /// <summary>Something else while a lease is held: time, or reads that evict.</summary>
    private void Meanwhile()
    {
        switch (_dice.Below(4))
        {
            case 0:
                Thread.Yield();
                break;
            case 1:
                Thread.Sleep(1);
                break;
            case 2:
                var other = _storm.PickHandle(_dice);
                var (offset, count) = PickRange(other);
                try
                {
                    var doing = _doing;
                    _doing += ", Read";
                    other.File.Read(offset, _buffer.AsSpan(0, count));
                    _doing = doing;
                }
                catch (Exception error) when (IsAllowed(error, other))
                {
                    Exceptions++;
                }

                break;
        }
    }

    /// <summary>Mostly where the blocks are, often at the seams: pages, blocks, windows, the ends.</summary>
    private (long Offset, int Count) PickRange(OpenHandle handle)
    {
        var (layout, file) = (handle.Inode.Layout, handle.File);
        var body = Math.Min((long)layout.Blocks.Length * handle.Inode.Engine.BlockSize, file.Length - layout.Base);
        var offset = _dice.Below(20) switch
        {
            0 => _dice.Below(file.Length),
            1 => file.Length - 1 - _dice.Below(Math.Min(file.Length, 2L * PageSize)),
            2 => layout.Base - _dice.Below(Math.Min(layout.Base, PageSize) + 1),
            < 8 => layout.Base + _dice.Below(body),
            < 11 => layout.Base + _dice.Below(Math.Min(body, 8L * PageSize)),
            _ => (layout.Base + _dice.Below(body)) / PageSize * PageSize,
        };
        offset = Math.Clamp(offset, 0, file.Length - 1);
        var count = _dice.Below(10) switch
        {
            < 2 => _dice.From(1, 16),
            < 6 => PageSize,
            < 8 => _dice.From(1, 3 * PageSize),
            _ => Math.Min(_buffer.Length, PageSize * _dice.From(2, 9)),
        };
        return (offset, Math.Min(count, _buffer.Length));
    }

    private void Soil(int count) => _buffer.AsSpan(0, count).Fill(0xA5);
}
