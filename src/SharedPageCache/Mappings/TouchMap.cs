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
/// Files of up to 32,768 pages have one array; larger ones three levels, so that one touch costs 8 KiB at most.
/// </remarks>
internal sealed class TouchMap
{
    private const int SegmentShift = 15;
    private const int DirectoryShift = 9;

    private readonly long[]? _flat;
    private readonly long[]?[]?[]? _directories;

    public TouchMap(long pages)
    {
        if (pages <= 1L << SegmentShift)
        {
            _flat = new long[(pages + 63) / 64];
            Bytes = 48 + 24 + _flat.Length * 8;
        }
        else
        {
            _directories = new long[]?[]?[(pages - 1 >> SegmentShift + DirectoryShift) + 1];
            Bytes = 48 + 24 + _directories.Length * 8;
        }
    }

    /// <summary>Memory when made, in bytes; segments are booked as they come.</summary>
    public int Bytes { get; private set; }

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

    /// <summary>Takes the bits of a range of windows out; each set bit is handed to the visitor exactly once.</summary>
    public void Drain(long firstWindow, long lastWindow, Action<long> visit)
    {
        if (_flat is not null)
        {
            Drain(_flat, 0, firstWindow, lastWindow, visit);
            return;
        }

        for (var d = 0L; d < _directories!.Length; d++)
        {
            if (Atomic.LoadAcquire(ref _directories[d]) is { } directory)
            {
                for (var s = 0L; s < directory.Length; s++)
                {
                    if (Atomic.LoadAcquire(ref directory[s]) is { } segment)
                    {
                        Drain(segment, (d << DirectoryShift) + s << SegmentShift, firstWindow, lastWindow, visit);
                    }
                }
            }
        }
    }

    private static void Drain(long[] words, long firstPage, long firstWindow, long lastWindow, Action<long> visit)
    {
        // A window is eight words.
        const int WordsPerWindow = Window.Pages / 64;
        var origin = Window.Of(firstPage);
        var from = Math.Clamp(firstWindow - origin, 0, words.Length) * WordsPerWindow;
        var to = lastWindow - origin >= words.Length ? words.Length : (lastWindow - origin + 1) * WordsPerWindow;
        for (var i = from; i < Math.Min(to, words.Length); i++)
        {
            var word = Atomic.Exchange(ref words[i], 0);
            while (word != 0)
            {
                visit(firstPage + i * 64L + BitOperations.TrailingZeroCount(word));
                word &= word - 1;
            }
        }
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
            known = Atomic.CompareExchange(ref directory, fresh, null) ?? fresh;
        }

        ref var segment = ref known[page >> SegmentShift & (1 << DirectoryShift) - 1];
        var words = new long[1 << SegmentShift - 6];
        return Atomic.CompareExchange(ref segment, words, null) ?? words;
    }
}
