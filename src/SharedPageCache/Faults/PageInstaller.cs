using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Faults;

/// <summary>
/// Puts resident references into leaves: record first, reference second, only while the file still reaches the leaf.
/// </summary>
/// <remarks>
/// What is installed is what the leaf's runs say. Those of a leaf that strangers share never change: a file whose truth
/// changes leaves the leaf. So a slot that is filled for a file that is just about to leave is right for all who stay. The
/// runs of a file's own leaf change when its pages have been written back: they are compared again, under the leaf's lock,
/// with the block that the frame holds, and a slot that shows dirty content is never touched. Opaque runs do not name bytes;
/// they are the file's, and are shown in a leaf only if the engine's sequence has not moved since before they were read.
/// </remarks>
internal sealed class PageInstaller(FrameTable frames, ReverseMap rmap, FrameBits touchedFrames, NodeLedger ledger, int pageShift)
{
    /// <summary>
    /// Shows a pinned, readable frame, which holds what the leaf maps, in a slot. Checked and done under the leaf's lock:
    /// a leaf that is taken out of the trees dies under it.
    /// </summary>
    public void Install(FileMapping file, long page, Leaf leaf, int frame, int generation)
    {
        leaf.Lock.Enter();
        try
        {
            if (MayInstall(file, page, leaf))
            {
                InstallLocked(leaf, Window.SlotOf(page), frame, generation);
            }
        }
        finally
        {
            leaf.Lock.Exit();
        }
    }

    /// <summary>Shows the frames of a load in their slots.</summary>
    public void Install(LoadOperation load)
    {
        var leaf = load.Leaf;
        leaf.Lock.Enter();
        try
        {
            if (!MayInstall(load.File, load.FirstPage, leaf) || (load.IsOpaque && !load.File.Holds(load.Cookie)))
            {
                return;
            }

            var slot = Window.SlotOf(load.FirstPage);
            foreach (var loaded in load.Frames)
            {
                InstallLocked(leaf, slot++, loaded.Frame, loaded.Generation);
            }
        }
        finally
        {
            leaf.Lock.Exit();
        }
    }

    private static bool MayInstall(FileMapping file, long page, Leaf leaf) =>
        !leaf.IsDead && !file.IsClosed && file.Reaches(Window.Of(page), leaf);

    private void InstallLocked(Leaf leaf, int slot, int frame, int generation)
    {
        var reference = PageReference.Resident(frame, generation);
        var known = leaf[slot];
        if (known == reference)
        {
            return;
        }

        if (!IsCurrent(reference) || leaf.IsProvisional(slot) || (known.IsResident && IsCurrent(known)))
        {
            // Discarded or written meanwhile, or another copy of a composite page came first.
            return;
        }

        if (leaf.Stamp != 0 && !StillMaps(leaf, slot, frame))
        {
            return;
        }

        rmap.Add(frame, new Place(leaf.Family.Id, slot));
        leaf.Install(slot, reference, ledger);
        if (leaf.TouchesOf(slot) > 0)
        {
            touchedFrames.Set(frame);
        }
    }

    private bool StillMaps(Leaf leaf, int slot, int frame)
    {
        var identity = frames.IdentityOf(frame);
        var source = leaf.ResolveByRuns(slot, pageShift);
        return identity.IsSome
            ? source.Kind == PageSourceKind.Block && source.Block == identity.Block && source.Generation == identity.Generation
            : source.Kind == PageSourceKind.Composite;
    }

    private bool IsCurrent(PageReference reference) => frames[reference.Frame].State.Load() is var state
        && state.Generation == reference.Generation
        && state.Phase is FramePhase.Clean or FramePhase.Claimed;
}
