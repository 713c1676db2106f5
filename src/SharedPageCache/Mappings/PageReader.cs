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
    private readonly int _pageSize = 1 << pageShift;

    /// <summary>Copies as many bytes as are resident, from the start of the range on.</summary>
    /// <param name="file">The file.</param>
    /// <param name="tree">The version of the file that the call reads.</param>
    /// <param name="offset">First byte; the whole range lies inside the version's length.</param>
    /// <param name="destination">Where the bytes go; nothing is written behind the returned count.</param>
    /// <returns>The number of bytes copied; fewer than asked if a page is not resident.</returns>
    public int CopyResident(FileMapping file, PageTree tree, long offset, Span<byte> destination)
    {
        var inPage = (int)offset & (_pageSize - 1);
        if ((uint)(destination.Length - 1) < (uint)(_pageSize - inPage))
        {
            var copied = TryCopyPage(file, tree, offset >> pageShift, inPage, destination);
            hits.Add(copied ? 1 : 0);
            return copied ? destination.Length : 0;
        }

        return CopyPages(file, tree, offset, destination);
    }

    private int CopyPages(FileMapping file, PageTree tree, long offset, Span<byte> destination)
    {
        var done = 0;
        var pages = 0;
        while (done < destination.Length)
        {
            var position = offset + done;
            var inPage = (int)position & (_pageSize - 1);
            var chunk = destination.Slice(done, Math.Min(_pageSize - inPage, destination.Length - done));
            if (!TryCopyPage(file, tree, position >> pageShift, inPage, chunk))
            {
                break;
            }

            done += chunk.Length;
            pages++;
        }

        hits.Add(pages);
        return done;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryCopyPage(FileMapping file, PageTree tree, long page, int inPage, Span<byte> chunk)
    {
        var leaf = tree.FindLeaf(Window.Of(page));
        if (leaf is null || !TryCopy(leaf, Window.SlotOf(page), inPage, chunk))
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
    public void TouchFirst(FileMapping file, long page, Leaf leaf)
    {
        var reference = leaf[Window.SlotOf(page)];
        if (reference.Kind == ReferenceKind.Hole)
        {
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
    private bool TryCopy(Leaf leaf, int slot, int inPage, Span<byte> chunk)
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

        ref var header = ref frames[reference.Frame];
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

        // Racy on purpose: a lost step only means that the count saturates one hit later.
        if (header.Use < FrameTable.MaxUse)
        {
            header.Use++;
        }

        return true;
    }
}
