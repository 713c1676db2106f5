using System.Numerics;
using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// Which pages a file has really used: one bit a page, kept only for the parts of the file that were read. It makes
/// "bytes saved" a count of pages that files touched, instead of a product of clones that nobody read.
/// </summary>
/// <remarks>
/// A hit loads one bit and writes nothing once it is set. Bits are set by an interlocked or, which tells the first setter.
/// Files of up to 32,768 pages have one array; larger ones three levels, so that one touch costs 8 KiB at most. What a
/// drain leaves empty is let go: bits are set inside the file's gate together, and drained inside it alone, so no bit is
/// set in a segment that goes. Bytes are booked as they come and go.
/// </remarks>
internal sealed class TouchMap
{
    private const int SegmentShift = 15;
    private const int DirectoryShift = 9;
    private const int FixedBytes = 48;
    private const int WordsPerWindow = Window.Pages / 64;

    private readonly long[]? _flat;
    private readonly long[]?[]?[]? _directories;
    private readonly NodeLedger _ledger;
    private long _bytes;

    public TouchMap(long pages, NodeLedger ledger)
    {
        _ledger = ledger;
        if (pages <= 1L << SegmentShift)
        {
            _flat = new long[(pages + 63) / 64];
            _bytes = FixedBytes + ArrayBytes(_flat.Length);
        }
        else
        {
            _directories = new long[]?[]?[(pages - 1 >> SegmentShift + DirectoryShift) + 1];
            _bytes = FixedBytes + ArrayBytes(_directories.Length);
        }
    }

    /// <summary>How many pages the map has room for.</summary>
    public long Pages => _flat is not null ? (long)_flat.Length << 6 : (long)_directories!.Length << SegmentShift + DirectoryShift;

    /// <summary>The map is in use: its bytes are booked.</summary>
    public void Open() => _ledger.AddNode(Atomic.LoadAcquire(ref _bytes));

    /// <summary>The file is closed, and nobody sets a bit any more.</summary>
    public void Close() => _ledger.RemoveNode(Atomic.LoadAcquire(ref _bytes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsSet(long page)
    {
        var words = _flat ?? FindSegment(page);
        return words is not null && (Atomic.LoadAcquire(ref words[WordOf(page)]) >> (int)(page & 63) & 1) != 0;
    }

    /// <summary>Sets the bit of a page; true for the one caller who set it.</summary>
    public bool TrySet(long page)
    {
        var words = _flat ?? FindSegment(page) ?? MakeSegment(page);
        var bit = 1L << (int)(page & 63);
        return (Atomic.Or(ref words[WordOf(page)], bit) & bit) == 0;
    }

    /// <summary>Takes a bit back that was set and not counted.</summary>
    public void Clear(long page)
    {
        if ((_flat ?? FindSegment(page)) is { } words)
        {
            Atomic.And(ref words[WordOf(page)], ~(1L << (int)(page & 63)));
        }
    }

    /// <summary>Whether any bit of a window is set.</summary>
    public bool HasAny(long window)
    {
        var page = window << Window.Shift;
        if ((_flat ?? FindSegment(page)) is { } words)
        {
            var first = WordOf(page);
            for (var i = first; i < Math.Min(first + WordsPerWindow, words.Length); i++)
            {
                if (Atomic.LoadAcquire(ref words[i]) != 0)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Takes the bits of a range of windows out; each set bit is handed to the visitor exactly once.</summary>
    public void Drain(long firstWindow, long lastWindow, Action<long>? visit)
    {
        if (_flat is not null)
        {
            Drain(_flat, 0, firstWindow, lastWindow, visit);
            return;
        }

        const int WindowsPerSegment = 1 << SegmentShift - Window.Shift;
        var first = firstWindow / WindowsPerSegment;
        var last = Math.Min(lastWindow / WindowsPerSegment, ((long)_directories!.Length << DirectoryShift) - 1);
        for (var d = first >> DirectoryShift; d <= last >> DirectoryShift; d++)
        {
            if (Atomic.LoadAcquire(ref _directories[d]) is not { } directory)
            {
                continue;
            }

            var origin = d << DirectoryShift;
            for (var s = Math.Max(first, origin); s <= Math.Min(last, origin + directory.Length - 1); s++)
            {
                ref var segment = ref directory[s - origin];
                if (Atomic.LoadAcquire(ref segment) is { } words)
                {
                    Drain(words, s << SegmentShift, firstWindow, lastWindow, visit);
                    if (!words.AsSpan().ContainsAnyExcept(0))
                    {
                        Atomic.StoreRelease(ref segment, null);
                        Book(-ArrayBytes(words.Length));
                    }
                }
            }

            if (Array.TrueForAll(directory, static segment => segment is null))
            {
                Atomic.StoreRelease(ref _directories[d], null);
                Book(-ArrayBytes(directory.Length));
            }
        }
    }

    private static void Drain(long[] words, long firstPage, long firstWindow, long lastWindow, Action<long>? visit)
    {
        var origin = Window.Of(firstPage);
        var from = Math.Clamp(firstWindow - origin, 0, words.Length) * WordsPerWindow;
        var to = lastWindow - origin >= words.Length ? words.Length : (lastWindow - origin + 1) * WordsPerWindow;
        for (var i = from; i < Math.Min(to, words.Length); i++)
        {
            var word = Atomic.Exchange(ref words[i], 0);
            while (word != 0)
            {
                visit?.Invoke(firstPage + i * 64L + BitOperations.TrailingZeroCount(word));
                word &= word - 1;
            }
        }
    }

    private static long ArrayBytes(int length) => 24 + length * 8L;

    private void Book(long bytes)
    {
        Atomic.Add(ref _bytes, bytes);
        _ledger.AddNode(bytes);
    }

    private int WordOf(long page) => (int)((_flat is null ? page & (1L << SegmentShift) - 1 : page) >> 6);

    private long[]? FindSegment(long page)
    {
        var directory = Atomic.LoadAcquire(ref _directories![page >> SegmentShift + DirectoryShift]);
        return directory is null
            ? null
            : Atomic.LoadAcquire(ref directory[page >> SegmentShift & (1 << DirectoryShift) - 1]);
    }

    private long[] MakeSegment(long page)
    {
        ref var directory = ref _directories![page >> SegmentShift + DirectoryShift];
        var known = Atomic.LoadAcquire(ref directory);
        if (known is null)
        {
            var fresh = new long[]?[1 << DirectoryShift];
            known = Atomic.CompareExchange(ref directory, fresh, null);
            if (known is null)
            {
                Book(ArrayBytes(fresh.Length));
                known = fresh;
            }
        }

        ref var segment = ref known[page >> SegmentShift & (1 << DirectoryShift) - 1];
        var words = new long[1 << SegmentShift - 6];
        if (Atomic.CompareExchange(ref segment, words, null) is { } other)
        {
            return other;
        }

        Book(ArrayBytes(words.Length));
        return words;
    }
}
