using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <content>The write that copies nothing though its page is clean: the last who shows it has no use for the old content.</content>
internal sealed partial class PageWrite
{
    /// <summary>
    /// Takes a clean frame that shows this page and nothing else. It leaves the physical table and gets a new generation
    /// before it is changed, so nobody has to be proved absent: who has a reference resolves it again, at worst by a read
    /// of the block, which stays as it is.
    /// </summary>
    /// <remarks>
    /// A guess decides whether that is wise: no relative, no extent that the engine calls shared, one record in the reverse
    /// map, and a frame of the file's own security domain.
    /// </remarks>
    private bool TryTakeOver(int i, PageReference reference, int pins)
    {
        var page = _firstPage + i;
        if (!reference.IsResident || _file.Tree.FindLeaf(Window.Of(page)) is not { } leaf || _file.IsShared(leaf, Window.SlotOf(page))
            || _rooms.Rmap.Count(reference.Frame) > 1 || _rooms.Frames[reference.Frame].Owner != _file.Account.Owner.Tag
            || !_rooms.Reclaimer.TryTakeOver(reference.Frame, reference.Generation, pins))
        {
            return false;
        }

        _rooms.AddStaged(1);
        _rooms.Writeback.PagesTakenOver.Increment();
        _pages[i] = new PreparedPage(reference.Frame);
        return true;
    }

    /// <summary>
    /// The same for a page that this write has pinned, and pins until it has its content. Not for a write lease, until whose commit
    /// all have the old page.
    /// </summary>
    private bool TryTakeOver(int i, PageHold hold) =>
        !_isLeased && hold.Kind == PageHoldKind.Pinned && _rooms.Frames[hold.Frame].State.Load() is { Phase: FramePhase.Clean } state
        && TryTakeOver(i, PageReference.Resident(hold.Frame, state.Generation), pins: 1);
}
