using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Memory;

namespace SharedPageCache.Mappings;

/// <summary>
/// The hit path: copies bytes of resident pages without a lock, an atomic write or an allocation.
/// </summary>
/// <remarks>
/// <para>For each page: acquire-load root, nodes, slot and frame state; the generation must be the slot's and the exclusive
/// bit clear; copy; read barrier; the state must still say the same generation and sequence.</para>
/// <code>
///   reader                                     who recycles or changes the frame
///   slot -> (frame, g)      [acquire]
///   state = (g, s)          [acquire]
///   copy the bytes                             advance generation (or set X)  [full fence]
///   read barrier                               change the bytes
///   state again: (g, s)?    [acquire]          publish generation, sequence   [release]
/// </code>
/// <para>
/// If the copy has seen any byte of the change, the barrier orders the second look behind the copy, and the change is
/// ordered behind the advance of the word: the second look sees it. What was copied is then cleared: no foreign byte ever
/// stays in a caller's buffer. The bytes are copied racing, which .NET defines for native memory (any mix, no fault: the
/// arena stays mapped while it is reachable), and the caller gets a copy, never a span.
/// </para>
/// <para>
/// The only writes are to the frame's use count and to the file's touch bit, both until they saturate, and to a counter
/// cell of the thread's own.
/// </para>
/// </remarks>
internal sealed class PageReader(
    FrameTable frames, Arena arena, FrameBits touchedFrames, ThreadCounter hits, Action balance, int pageShift)
{
    private readonly NativeArray<FrameHeader> _headers = frames.Headers;
    private readonly int _pageSize = 1 << pageShift;

    /// <summary>The count of hits. Who copies in one page counts by itself: where no profile says that a hit is rare.</summary>
    public ThreadCounter Hits { get; } = hits;

    /// <summary>
    /// The usual read: a range inside one page and inside the file. What is rare on the way (a first use, a sampled frame, a thread's first
    /// hit) stands in methods of its own that are not inlined, and who calls this is compiled without a profile: the first calls, of pages
    /// that are just being loaded, would have the compiler take the rare for usual, and the count of hits for rare.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="tree">The version of the file that the call reads.</param>
    /// <param name="offset">First byte, not negative.</param>
    /// <param name="destination">Where the bytes go; cleared, or as it was, if the method returns false.</param>
    /// <returns>False if the range is none of this kind, or the page is not resident. If true, the caller counts a hit.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryCopyInOnePage(FileMapping file, PageTree tree, long offset, Span<byte> destination)
    {
        var inPage = (int)offset & (_pageSize - 1);
        return (uint)(destination.Length - 1) < (uint)(_pageSize - inPage) && offset <= tree.Length - destination.Length
            && TryCopyPage(file, tree, offset >> pageShift, inPage, destination, FrameTable.MaxUse);
    }

    /// <summary>Whether a read is short enough for <see cref="TryCopyWords"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsWords(Span<byte> destination) => (uint)(destination.Length - sizeof(long)) <= sizeof(long);

    /// <summary>
    /// Reads eight to sixteen bytes inside one page of a file of one level: keys, pointers and headers, for which the way is all that they cost.
    /// Nothing is called on the way, what is usual falls through, and little is kept for what is not, so that all of it stays in registers.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">First byte; a negative one is in no page of the file.</param>
    /// <param name="destination">Where the bytes go; cleared, or as it was, if the method returns false.</param>
    /// <param name="use">The frame's use count.</param>
    /// <returns>Whether it was read. If so, the caller counts the hit, one way or the other.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryCopyWords(FileMapping file, long offset, Span<byte> destination, out byte use)
    {
        use = 0;
        var tree = file.Tree;
        var inPage = (uint)offset & (uint)(_pageSize - 1);
        if (inPage + (uint)destination.Length > (uint)_pageSize || offset > tree.Length - destination.Length)
        {
            return false;
        }

        var leaves = tree.Leaves;
        var page = offset >> pageShift;
        if (leaves is null || (ulong)Window.Of(page) >= (ulong)leaves.Length)
        {
            return false;
        }

        var leaf = Atomic.LoadAcquire(ref leaves[(int)Window.Of(page)]);
        if (leaf is null)
        {
            return false;
        }

        var slots = leaf.Slots;
        var slot = (uint)Window.SlotOf(page);
        if (slot >= (uint)slots.Length)
        {
            return false;
        }

        var reference = new PageReference(Atomic.LoadAcquire(ref slots[slot]));
        if (!reference.IsResident)
        {
            return false;
        }

        ref var header = ref _headers[reference.Frame];
        var state = header.State.Load();
        if (!state.Admits(reference.Word))
        {
            return false;
        }

        arena.CopyWordsRacing(reference.Frame, inPage, destination);
        Atomic.ReadBarrier();
        if (!state.SameContentAs(header.State.Load()))
        {
            Arena.ClearWords(destination);
            return false;
        }

        use = header.Use;
        return true;
    }

    /// <summary>Whether a use of a page changes nothing but the count of hits: the frame's count is saturated, and the file has used the page before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsUsual(FileMapping file, long offset, byte use)
    {
        // As a signed number a sampled count is below every limit.
        if ((sbyte)use < FrameTable.MaxUse || file.Touches is not { } touches)
        {
            return false;
        }

        var page = offset >> pageShift;
        return (touches.NearWordOf(page) >> (int)page & 1) != 0;
    }

    /// <summary>Counts a hit.</summary>
    /// <returns>True, for its caller to return.</returns>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public bool CountHit()
    {
        Hits.Add(1);
        return true;
    }

    /// <summary>Counts a hit that is not usual. The page is looked for again: if it has moved meanwhile, its new frame is as much used.</summary>
    /// <returns>True, for its caller to return.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool CountRareHit(FileMapping file, long offset)
    {
        var page = offset >> pageShift;
        if (file.Tree.FindLeaf(Window.Of(page)) is { } leaf)
        {
            if (leaf[Window.SlotOf(page)] is { IsResident: true } reference)
            {
                MarkUse(reference.Frame);
            }

            if (file.Touches is not { } touches || !touches.IsSet(page))
            {
                TouchFirst(file, page, leaf);
            }
        }

        return CountHit();
    }

    /// <summary>Copies as many bytes as are resident, from the start of the range on.</summary>
    /// <param name="file">The file.</param>
    /// <param name="tree">The version of the file that the call reads.</param>
    /// <param name="offset">First byte; the whole range lies inside the version's length.</param>
    /// <param name="destination">Where the bytes go; nothing is written behind the returned count.</param>
    /// <returns>The number of bytes copied; fewer than asked if a page is not resident.</returns>
    public int CopyResident(FileMapping file, PageTree tree, long offset, Span<byte> destination)
    {
        var done = CopyPages(file, tree, offset, destination, FrameTable.MaxUse, out var pages);
        Hits.Add(pages);
        return done;
    }

    /// <summary>
    /// Copies pages that the read has waited for: they are no hits, and of no use yet to anybody but this read if it has
    /// loaded them itself.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="tree">The version of the file that the call reads.</param>
    /// <param name="offset">First byte; the whole range lies inside the version's length.</param>
    /// <param name="destination">Where the bytes go; nothing is written behind the returned count.</param>
    /// <param name="isOwnLoad">Whether the read's own load brought the pages.</param>
    /// <param name="pages">How many pages were copied.</param>
    /// <returns>The number of bytes copied; fewer than asked if a page is not resident.</returns>
    public int CopyLoaded(
        FileMapping file, PageTree tree, long offset, Span<byte> destination, bool isOwnLoad, out int pages) =>
        CopyPages(file, tree, offset, destination, isOwnLoad ? 0 : FrameTable.MaxUse, out pages);

    /// <summary>Notes a use of a frame that the caller has pinned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MarkUse(int frame) => MarkUse(frame, ref _headers[frame], FrameTable.MaxUse);

    /// <summary>A page that the caller has pinned will be used again: it stands as one that was used twice, which every policy honours.</summary>
    public void MarkKept(int frame)
    {
        MarkUse(frame);
        MarkUse(frame);
    }

    private int CopyPages(
        FileMapping file, PageTree tree, long offset, Span<byte> destination, int mostUse, out int pages)
    {
        var done = 0;
        pages = 0;
        while (done < destination.Length)
        {
            var position = offset + done;
            var inPage = (int)position & (_pageSize - 1);
            var chunk = destination.Slice(done, Math.Min(_pageSize - inPage, destination.Length - done));
            if (done + chunk.Length < destination.Length)
            {
                PrefetchNext(tree, (position >> pageShift) + 1);
            }

            if (!TryCopyPage(file, tree, position >> pageShift, inPage, chunk, mostUse))
            {
                break;
            }

            done += chunk.Length;
            pages++;
        }

        return done;
    }

    /// <summary>The next page of a long read comes while this one is copied. A hint: nothing is believed of what is looked at.</summary>
    private void PrefetchNext(PageTree tree, long page)
    {
        if (tree.FindLeaf(Window.Of(page)) is { } leaf && leaf[Window.SlotOf(page)] is { IsResident: true } reference)
        {
            arena.Prefetch(reference.Frame);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryCopyPage(FileMapping file, PageTree tree, long page, int inPage, Span<byte> chunk, int mostUse)
    {
        var leaf = tree.FindLeaf(Window.Of(page));
        if (leaf is null || !TryCopy(leaf, Window.SlotOf(page), inPage, chunk, mostUse))
        {
            return false;
        }

        var touches = file.Touches;
        if (touches is null || !touches.IsSet(page))
        {
            TouchFirst(file, page, leaf);
        }

        return true;
    }

    /// <summary>A file uses a page for the first time.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void TouchFirst(FileMapping file, long page, Leaf leaf)
    {
        var reference = leaf[Window.SlotOf(page)];
        if (reference.Kind == ReferenceKind.Hole || EngineCode.IsInCallback)
        {
            // From inside a callback, which holds the gate: it is noted at the next use.
            return;
        }

        file.Touch(page, leaf);
        if (reference.IsResident && frames[reference.Frame].State.Load().Admits(reference.Word))
        {
            touchedFrames.Set(reference.Frame);
        }

        // Touch bits may have been made: frames are given up for them.
        balance();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryCopy(Leaf leaf, int slot, int inPage, Span<byte> chunk, int mostUse)
    {
        var reference = leaf[slot];
        if (!reference.IsResident)
        {
            if (reference.Kind != ReferenceKind.Hole)
            {
                return false;
            }

            chunk.Clear();
            return true;
        }

        ref var header = ref _headers[reference.Frame];
        var before = header.State.Load();
        if (!before.Admits(reference.Word))
        {
            return false;
        }

        arena.CopyRacing(reference.Frame, inPage, chunk);
        Atomic.ReadBarrier();
        if (!before.SameContentAs(header.State.Load()))
        {
            chunk.Clear();
            return false;
        }

        MarkUse(reference.Frame, ref header, mostUse);
        return true;
    }

    /// <summary>Raises a use count that is below a limit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void MarkUse(int frame, ref FrameHeader header, int most)
    {
        // As a signed number a sampled count is below every limit.
        if ((sbyte)header.Use < most)
        {
            RaiseUse(frame, ref header, most);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RaiseUse(int frame, ref FrameHeader header, int most)
    {
        // Racy on purpose: a lost step only means that the count saturates one hit later.
        if (header.UseCount < most)
        {
            header.Use++;
        }

        if ((header.Use & FrameHeader.Sampled) != 0 && most > 0)
        {
            frames.Samples.Add(frame);
        }
    }
}
