using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace SharedPageCache.Memory;

/// <summary>
/// The memory of all frames: one range of native memory, aligned to huge pages, outside the GC heap. Pointers never leave
/// this room; others get bytes by frame number.
/// </summary>
/// <remarks>
/// The range stays mapped as long as the arena is reachable. An optimistic reader may therefore copy from a frame that is
/// being recycled: it gets bytes that its own check then throws away, never a fault. Returning memory
/// (<see cref="Decommit"/>) keeps the mapping.
/// </remarks>
internal sealed unsafe class Arena
{
    /// <summary>Memory objects address at most this much, because a span's length is 32 bits.</summary>
    private const int WindowShift = 30;

    /// <summary>Half a KiB, the smallest page: enough to hide the first misses of a page behind the copy of the one before.</summary>
    private const int PrefetchedBytes = 512;

    private readonly NativeBlock _block;
    private readonly byte* _frames;
    private readonly int _pageShift;
    private readonly ArenaWindow[] _windows;

    public Arena(int frameCount, int pageSize, bool hugePages)
    {
        Debug.Assert(BitOperations.IsPow2(pageSize), "page sizes are powers of two");
        FrameCount = frameCount;
        PageSize = pageSize;
        _pageShift = BitOperations.Log2((uint)pageSize);
        var length = (nuint)frameCount << _pageShift;
        _block = new NativeBlock(length, length >= Platform.HugePageSize ? (nuint)Platform.HugePageSize : 64 << 10);
        _frames = _block.Pointer;
        Platform.AdviseHugePages((nint)_frames, length, hugePages);
        var windows = (int)((length + (1u << WindowShift) - 1) >> WindowShift);
        _windows = new ArenaWindow[windows];
        for (var i = 0; i < windows; i++)
        {
            var start = (nuint)i << WindowShift;
            _windows[i] = new ArenaWindow(this, _frames + start, (int)Math.Min(length - start, 1u << WindowShift));
        }
    }

    public int FrameCount { get; }

    public int PageSize { get; }

    public long Bytes => (long)_block.Length;

    /// <summary>The bytes of a frame. Only for who owns the frame or holds a pin on it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Span(int frame) => new(Address(frame), PageSize);

    /// <summary>The bytes of a frame as memory, for I/O and heap leases. Keeps the arena alive.</summary>
    public Memory<byte> Memory(int frame)
    {
        var offset = (nuint)frame << _pageShift;
        return _windows[offset >> WindowShift].Memory.Slice((int)(offset & ((1u << WindowShift) - 1)), PageSize);
    }

    /// <summary>
    /// Copies bytes of a frame that the caller has not pinned. The bytes may be changing: the caller checks afterwards
    /// and throws them away if they were.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void CopyRacing(int frame, int offset, Span<byte> destination)
    {
        Debug.Assert(offset >= 0 && offset + destination.Length <= PageSize, "a copy stays inside its frame");
        new ReadOnlySpan<byte>(Address(frame) + offset, destination.Length).CopyTo(destination);
        GC.KeepAlive(this);
    }

    /// <summary>
    /// The same for eight to sixteen bytes, in two words that overlap unless there are sixteen, without a call. They stay whole words of the
    /// caller's, so a page that is written meanwhile is no more torn than by <see cref="CopyRacing"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void CopyWordsRacing(int frame, uint offset, Span<byte> destination)
    {
        Debug.Assert(destination.Length is >= sizeof(long) and <= 2 * sizeof(long) && offset + destination.Length <= PageSize, "words stay inside their frame");
        var from = Address(frame) + offset;
        ref var to = ref MemoryMarshal.GetReference(destination);
        var last = (uint)destination.Length - sizeof(long);
        Unsafe.WriteUnaligned(ref to, Unsafe.ReadUnaligned<long>(from));
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref to, last), Unsafe.ReadUnaligned<long>(from + last));
        GC.KeepAlive(this);
    }

    /// <summary>Clears what <see cref="CopyWordsRacing"/> has written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ClearWords(Span<byte> destination)
    {
        ref var to = ref MemoryMarshal.GetReference(destination);
        Unsafe.WriteUnaligned(ref to, 0L);
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref to, (uint)destination.Length - sizeof(long)), 0L);
    }

    /// <summary>
    /// Has the processor fetch the first bytes of a frame that is going to be copied next. A hint: it reads nothing, and a
    /// processor without the instruction ignores it. Its own prefetcher sees the copy begin and does the rest.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(int frame)
    {
        if (Sse.IsSupported)
        {
            var first = Address(frame);
            for (var line = 0; line < PrefetchedBytes; line += 64)
            {
                Sse.Prefetch0(first + line);
            }
        }
    }

    /// <summary>
    /// Tells the processor that the beginning of a frame is going to be read in place. Before a pin: what comes behind its fence does not begin before it is done, and
    /// both wait for memory.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchHead(int frame)
    {
        if (Sse.IsSupported)
        {
            var first = Address(frame);
            Sse.Prefetch0(first);
            Sse.Prefetch0(first + 64);
        }
    }

    /// <summary>
    /// Gives the memory of a run of frames back to the system, as far as it covers whole system pages: frames that are
    /// smaller share a system page with neighbours, whose bytes must stay.
    /// </summary>
    public void Decommit(int frame, int count = 1)
    {
        var systemPage = (nint)Environment.SystemPageSize;
        var first = ((nint)Address(frame) + systemPage - 1) & -systemPage;
        var end = ((nint)Address(frame) + ((nint)count << _pageShift)) & -systemPage;
        if (end > first)
        {
            Platform.Decommit(first, (nuint)(end - first));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* Address(int frame)
    {
        Debug.Assert((uint)frame < (uint)FrameCount, "frame out of the arena");
        return _frames + ((nuint)(uint)frame << _pageShift);
    }
}
