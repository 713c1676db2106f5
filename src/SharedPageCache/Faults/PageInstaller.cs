using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Faults;

/// <summary>Puts resident references into leaves: record first, reference second, only while the answer still holds.</summary>
internal sealed class PageInstaller(FrameTable frames, ReverseMap rmap, FrameBits touchedFrames, NodeLedger ledger)
{
    /// <summary>
    /// Shows a pinned, readable frame in a slot, if the file still reaches the leaf and its truth has not changed since
    /// the cookie. Checked and done under the leaf's lock: who changes the file's truth counts it up first and then
    /// copies the path, so it either is seen here or takes effect after.
    /// </summary>
    public void Install(
        FileMapping file, long page, Leaf leaf, FileMapping.Cookie cookie, int frame, int generation)
    {
        leaf.Lock.Enter();
        try
        {
            if (MayInstall(file, page, leaf, cookie))
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
            if (!MayInstall(load.File, load.FirstPage, leaf, load.Cookie))
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

    private static bool MayInstall(FileMapping file, long page, Leaf leaf, FileMapping.Cookie cookie) =>
        !leaf.IsDead && !file.IsClosed && file.Reaches(Window.Of(page), leaf) && file.Holds(cookie);

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

        rmap.Add(frame, new Place(leaf.Family.Id, slot));
        leaf.Install(slot, reference, ledger);
        if (leaf.TouchesOf(slot) > 0)
        {
            touchedFrames.Set(frame);
        }
    }

    private bool IsCurrent(PageReference reference) => frames[reference.Frame].State.Load() is var state
        && state.Generation == reference.Generation
        && state.Phase is FramePhase.Clean or FramePhase.Claimed;
}
