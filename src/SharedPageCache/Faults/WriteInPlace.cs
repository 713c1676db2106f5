using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// The write that copies nothing and allocates nothing: a part of one page that only this file shows and that is dirty
/// already.
/// </summary>
internal static class WriteInPlace
{
    /// <summary>Whether it is worth trying to write a page in place. A guess; the gate decides.</summary>
    public static bool LooksPossible(Rooms rooms, FileMapping file, long page) =>
        file.Tree.FindLeaf(Window.Of(page)) is { } leaf && leaf.IsProvisional(Window.SlotOf(page))
        && leaf[Window.SlotOf(page)] is { IsResident: true } reference && rooms.Frames.StampOf(reference.Frame) == file.Stamp;

    /// <summary>
    /// Takes X on a frame if it is this file's alone. Inside the gate; X (a full fence), then the pins: a lease that came
    /// first keeps the page as it is.
    /// </summary>
    public static bool TryTake(FrameTable frames, PageReference reference, long stamp)
    {
        ref var header = ref frames[reference.Frame];
        if (frames.StampOf(reference.Frame) != stamp || !header.State.TryBeginWrite(reference.Generation))
        {
            return false;
        }

        // Asked again under X: the stamp is looked at while the frame cannot change hands.
        if (header.PinsAcquire == 0 && frames.StampOf(reference.Frame) == stamp)
        {
            return true;
        }

        header.State.EndWrite(changed: false);
        return false;
    }

    /// <summary>Writes inside one page, if that needs neither a copy nor a wait.</summary>
    public static bool TryWrite(Rooms rooms, FileMapping file, long offset, ReadOnlySpan<byte> bytes, Lsn lsn)
    {
        var page = offset >> rooms.PageShift;
        if (file.WritingIfAny is not { } writing || !writing.Marks.TryMark(page))
        {
            return false;
        }

        file.EnterTogether();
        try
        {
            var slot = Window.SlotOf(page);
            if (file.IsClosed || file.IsSealed || offset + bytes.Length > file.Tree.Length
                || file.Tree.FindLeaf(Window.Of(page)) is not { } leaf || !leaf.IsProvisional(slot) || !file.Owns(Window.Of(page), leaf)
                || !TryTake(rooms.Frames, leaf[slot], file.Stamp))
            {
                return false;
            }

            var frame = leaf[slot].Frame;
            bytes.CopyTo(rooms.Arena.Span(frame)[((int)offset & (rooms.PageSize - 1))..]);
            if (lsn != Lsn.None)
            {
                file.Volume.Dirty.Raise(frame, lsn);
            }

            rooms.Frames[frame].State.EndWrite(changed: true);
            return true;
        }
        finally
        {
            file.LeaveTogether();
            writing.Marks.Unmark(page);
        }
    }
}
