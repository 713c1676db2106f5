using SharedPageCache.Mappings;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <content>
/// A write whose bytes the caller makes in the frame itself: what stands behind a write lease.
/// </content>
/// <remarks>
/// <para>
/// The mark is held from before the page is copied to the commit or the end of the lease, so nobody else writes the page and what was
/// copied stays what the file shows, but for cuts: a punch, a shorter length, another range in its place. These are noted
/// with the mark, inside the gate, alone (<see cref="PageMarks"/>), and the commit looks inside the gate. So a commit never
/// brings back what was cut: it came before the cut, or it is refused.
/// </para>
/// <para>
/// Nobody can see the frame before the commit: it is free by its phase and in no table, as any frame that a write prepares.
/// The commit is the same step as any other write by copying: edition and clock are not compared, since the bytes are the
/// caller's own. Readers, clones and write-back have the old page until then. A commit that cannot go on, or is refused,
/// leaves frame and mark as they are.
/// </para>
/// </remarks>
internal sealed partial class PageWrite
{
    private bool _isLeased;

    /// <summary>What the file shared when the engine was told of each page.</summary>
    private readonly SharingMoment[] _unshareAsked;

    /// <summary>The frame that the caller writes to.</summary>
    public int LeasedFrame => _pages[0].Frame;

    /// <summary>How many bytes of the page were inside the file when it was leased.</summary>
    public int LeasedLength => _length;

    /// <summary>A write of one page that the caller has marked for it.</summary>
    public static PageWrite OfLease(
        Rooms rooms, PageFaults faults, ProvisionalFrames provisional, FileMapping file, long offset, int length) =>
        new(rooms, faults, provisional, file, offset, length, Lsn.None) { _isLeased = true, _marked = 1, ForcesCopy = true };

    /// <summary>Takes the frame, and fills it with the page as it is, or with zeros.</summary>
    public WriteNeed TryStage(bool discardsContent)
    {
        Page = _firstPage;
        _file.ThrowIfUnwritable();
        var hold = PageHold.Zero;
        if (!discardsContent && !_faults.TryFaultMinor(_file, Page, out hold))
        {
            return WriteNeed.Source;
        }

        return TryStage(hold);
    }

    /// <summary>Takes the frame, and fills it from a page, which is given back.</summary>
    public WriteNeed TryStage(PageHold hold) => TryFill(0, hold, default, []) ? WriteNeed.Done : WriteNeed.Frame;

    /// <summary>Shows the frame in place of the page, if that needs no wait.</summary>
    /// <returns>
    /// What it waits for; <see cref="WriteNeed.Length"/> if the file is shorter than what was leased, and
    /// <see cref="WriteNeed.Source"/> if the page was cut meanwhile: neither will pass.
    /// </returns>
    public WriteNeed TryCommit(Lsn lsn)
    {
        _lsn = lsn;
        _file.ThrowIfUnwritable();
        if (_offset + _length > _file.Tree.Length)
        {
            return WriteNeed.Length;
        }

        if (WasCut(0))
        {
            return WriteNeed.Source;
        }

        if (NeedBeforeFrame(0, out _) is var need and not WriteNeed.Done)
        {
            return need;
        }

        Apply([], out need);
        return need;
    }

    /// <summary>The engine was told of <see cref="Page"/>; <paramref name="sharing"/> is what the file shared before.</summary>
    public void UnshareTold(SharingMoment sharing) => _unshareAsked[Page - _firstPage] = sharing;

    /// <summary>What a page that is copied needs before it needs a frame: its leaf, the engine's consent, room.</summary>
    private WriteNeed NeedBeforeFrame(int i, out Leaf? leaf)
    {
        leaf = null;
        Page = _firstPage + i;
        if (!LeafFinder.TryFind(_file, Page, out var found))
        {
            return WriteNeed.Leaf;
        }

        if (_unshareAsked[i] != _file.Sharing && _file.IsShared(found.Leaf, Window.SlotOf(Page)))
        {
            return WriteNeed.Unshare;
        }

        leaf = found.Leaf;
        return _file.Volume.Writer!.HasRoomFor(1) ? WriteNeed.Done : WriteNeed.Room;
    }

    /// <summary>Whether what was prepared for a page may be shown.</summary>
    private bool IsGood(int i, Leaf leaf, int slot) => _isLeased ? !WasCut(i) : IsStillTrue(_pages[i], leaf, slot);

    private bool WasCut(int i) => _file.Writing.Marks.WasCut(_firstPage + i);
}
