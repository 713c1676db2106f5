using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Writeback;

/// <summary>
/// The end of dirty frames that nobody shows any more: overwritten, punched, truncated, deleted.
/// </summary>
/// <remarks>
/// Called in the same hold of the binding lock in which a place stopped showing the frame: of two that take away the last
/// two owners, the second finds none. An orphan that is pinned is freed by its last unpin; one whose image is being
/// written is left to the write-back, which finds no owner when it wants to publish.
/// </remarks>
internal sealed class ProvisionalFrames(FrameTable frames, ReverseMap rmap, FamilyTable families, IFrameSink sink)
{
    /// <summary>A walk for one hold of the binding lock.</summary>
    public OwnerWalk NewWalk() => new(rmap, families);

    /// <summary>A place no longer shows a frame: frees it if that was the last one. Under the binding lock.</summary>
    /// <param name="volume">The volume.</param>
    /// <param name="reference">The frame and its generation.</param>
    /// <param name="walk">The walk of this hold.</param>
    /// <param name="stamp">The stamp of the file that showed it; a frame that carries it had no other owner.</param>
    public void Lost(VolumeMap volume, PageReference reference, OwnerWalk walk, long stamp)
    {
        var frame = reference.Frame;
        var isAlone = stamp != 0 && frames.StampOf(frame) == stamp;
        if (isAlone || (!IsShownByItsWriter(volume, reference) && !walk.MayHaveOwner(frame, reference.Generation)))
        {
            Orphan(volume, frame, reference.Generation, duringWriteback: false);
        }
    }

    /// <summary>
    /// Whether the file that wrote the frame is an owner still: the usual answer when a clone stops showing a page, at the cost of one step whatever
    /// the number of clones. Exact under the binding lock, as the walk is; of a closed file the walk is asked.
    /// </summary>
    private static bool IsShownByItsWriter(VolumeMap volume, PageReference reference) =>
        volume.Dirty.TryGet(reference.Frame, out var entry) && entry.Generation == reference.Generation && !entry.File.IsClosed
        && entry.File.Tree.FindLeaf(Window.Of(entry.Page)) is { IsDead: false } leaf && leaf[Window.SlotOf(entry.Page)] == reference;

    /// <summary>Frees a frame that nobody shows. Under the binding lock.</summary>
    public bool Orphan(VolumeMap volume, int frame, int generation, bool duringWriteback)
    {
        frames.Pin(frame);
        var isOrphaned = false;
        while (true)
        {
            var state = frames[frame].State.Load();
            var mayEnd = state.Phase == FramePhase.Dirty || (duringWriteback && state.Phase == FramePhase.Writeback);
            if (state.Generation != generation || !mayEnd)
            {
                break;
            }

            if (frames[frame].State.TryOrphan(state))
            {
                volume.Dirty.Remove(frame);
                isOrphaned = true;
                break;
            }
        }

        Unpin(frame);
        return isOrphaned;
    }

    public void Unpin(int frame)
    {
        if (frames.Unpin(frame))
        {
            sink.Return(frame);
        }
    }
}
