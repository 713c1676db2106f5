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
