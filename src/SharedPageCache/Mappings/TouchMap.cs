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
/// They lie in segments, which come with their first bit, and are found by a directory: a file of up to 262,144 pages has one of at most
/// 64 segments of 512 bytes, so that a clone that uses one page pays a kilobyte; larger files have segments of 4 KiB, and
/// one directory for each 16 Mi pages. What a drain leaves empty is let go: bits are set inside the file's gate together, and
/// drained inside it alone, so no bit is set in a segment that goes. Bytes are booked as they come and go.
/// </remarks>
internal sealed class TouchMap
{
    private const int SmallSegmentShift = 12;
    private const int LargeSegmentShift = 15;
    private const int MostSmallPages = 1 << 18;
    private const int DirectoryShift = 9;
    private const int FixedBytes = 64;
    private const int WordsPerWindow = Window.Pages / 64;

    /// <summary>The only directory; null in files that have several.</summary>
    private readonly long[]?[]? _directory;
    private readonly long[]?[]?[]? _directories;

    /// <summary>The only directory if its segments are small.</summary>
    private readonly long[]?[]? _near;
    private readonly NodeLedger _ledger;
    private long _bytes;

    public TouchMap(long pages, NodeLedger ledger)
    {
        _ledger = ledger;
        var shift = pages <= MostSmallPages ? SmallSegmentShift : LargeSegmentShift;
        var segments = (pages - 1 >> shift) + 1;
        if (segments <= 1 << DirectoryShift)
        {
            // A file of one segment has it as long as it needs.
            _directory = new long[]?[segments];
            _near = shift == SmallSegmentShift ? _directory : null;
            _bytes = FixedBytes + ArrayBytes(_directory.Length);
            Pages = segments == 1 ? pages + 63 & ~63L : segments << shift;
        }
        else
        {
            _directories = new long[]?[]?[(segments - 1 >> DirectoryShift) + 1];
            _bytes = FixedBytes + ArrayBytes(_directories.Length);
            Pages = (long)_directories.Length << DirectoryShift + shift;
        }
    }

    /// <summary>How many pages the map has room for.</summary>
    public long Pages { get; }

    /// <summary>The map is in use: its bytes are booked.</summary>
    public void Open() => _ledger.AddNode(Atomic.LoadAcquire(ref _bytes));

    /// <summary>The file is closed, and nobody sets a bit any more.</summary>
    public void Close() => _ledger.RemoveNode(Atomic.LoadAcquire(ref _bytes));

    private int SegmentShift => _near is not null ? SmallSegmentShift : LargeSegmentShift;

    /// <summary>Whether the bit of a page is set. Not behind the last page that there is room for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsSet(long page) => _near is not null ? (NearWordOf(page) >> (int)page & 1) != 0 : IsSetFar(page);

    /// <summary>The word with the bit of a page, in a map of small segments; 0 in all others, and where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long NearWordOf(long page)
    {
        var directory = _near;
        var segment = (ulong)page >> SmallSegmentShift;
        if (directory is null || segment >= (ulong)directory.Length)
        {
            return 0;
        }

        var words = Atomic.LoadAcquire(ref directory[(int)segment]);
        var word = (int)page >> 6 & (1 << SmallSegmentShift - 6) - 1;
        return words is null || (uint)word >= (uint)words.Length ? 0 : Atomic.LoadAcquire(ref words[word]);
    }

    /// <summary>Sets the bit of a page; true for the one caller who set it.</summary>
    public bool TrySet(long page)
    {
        var words = FindSegment(page) ?? MakeSegment(page);
        var bit = 1L << (int)(page & 63);
        return (Atomic.Or(ref words[WordOf(page)], bit) & bit) == 0;
    }

    /// <summary>Takes a bit back that was set and not counted.</summary>
    public void Clear(long page)
    {
        if (FindSegment(page) is { } words)
        {
            Atomic.And(ref words[WordOf(page)], ~(1L << (int)(page & 63)));
        }
    }

    /// <summary>Whether any bit of a window is set.</summary>
    public bool HasAny(long window)
    {
        var page = window << Window.Shift;
        if (FindSegment(page) is { } words)
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
        var windowsShift = SegmentShift - Window.Shift;
        var first = firstWindow >> windowsShift;
        var last = Math.Min(lastWindow >> windowsShift, (Pages - 1) >> SegmentShift);
        if (_directory is not null)
        {
            DrainDirectory(_directory, 0, first, last, firstWindow, lastWindow, visit);
            return;
        }

        for (var d = first >> DirectoryShift; d <= last >> DirectoryShift; d++)
        {
            if (Atomic.LoadAcquire(ref _directories![d]) is { } directory
                && DrainDirectory(directory, d << DirectoryShift, first, last, firstWindow, lastWindow, visit))
            {
                Atomic.StoreRelease(ref _directories[d], null);
                Book(-ArrayBytes(directory.Length));
            }
        }
    }

    /// <summary>Drains segments of a directory that begins with the segment <paramref name="origin"/>.</summary>
    /// <returns>Whether the directory has no segments any more.</returns>
    private bool DrainDirectory(
        long[]?[] directory, long origin, long first, long last, long firstWindow, long lastWindow, Action<long>? visit)
    {
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

        return Array.TrueForAll(directory, static segment => segment is null);
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

    private int WordOf(long page) => (int)(page & (1L << SegmentShift) - 1) >> 6;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool IsSetFar(long page) =>
        page < Pages && FindSegment(page) is { } words && (Atomic.LoadAcquire(ref words[WordOf(page)]) >> (int)(page & 63) & 1) != 0;

    private long[]? FindSegment(long page)
    {
        var segment = page >> SegmentShift;
        var directory = _directory ?? Atomic.LoadAcquire(ref _directories![segment >> DirectoryShift]);
        return directory is null ? null : Atomic.LoadAcquire(ref directory[IndexOf(segment)]);
    }

    private static int IndexOf(long segment) => (int)segment & (1 << DirectoryShift) - 1;

    private long[] MakeSegment(long page)
    {
        var index = page >> SegmentShift;
        ref var segment = ref (_directory ?? MakeDirectory(index >> DirectoryShift))[IndexOf(index)];
        var words = new long[Math.Min(1L << SegmentShift, Pages - (index << SegmentShift)) >> 6];
        if (Atomic.CompareExchange(ref segment, words, null) is { } other)
        {
            return other;
        }

        Book(ArrayBytes(words.Length));
        return words;
    }

    private long[]?[] MakeDirectory(long index)
    {
        ref var directory = ref _directories![index];
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

        return known;
    }
}
