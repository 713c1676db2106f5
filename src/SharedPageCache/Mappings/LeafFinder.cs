namespace SharedPageCache.Mappings;

/// <summary>
/// Finds the leaf of a page for a fault: the one in the tree if it may still be trusted, else one that is made from the
/// engine's answer (or shared with a stranger who asked before) and published.
/// </summary>
internal sealed class LeafFinder(FamilyTable families, NodeLedger ledger)
{
    /// <summary>How often extents may change under a question before the question fails.</summary>
    private const int MaxAttempts = 64;

    /// <summary>
    /// From this attempt on an answer is taken if it holds for the page, though other blocks of its window were discarded
    /// meanwhile: an engine that never stops discarding must not fail reads of what it leaves alone.
    /// </summary>
    private const int PatientAttempts = 8;

    /// <summary>The leaf to work with, and what its use is valid for.</summary>
    public readonly record struct Found(Leaf Leaf, FileMapping.Cookie Cookie);

    /// <summary>The leaf in the tree, if there is one that is young enough for the page.</summary>
    public static bool TryFind(FileMapping file, long page, out Found found)
    {
        var cookie = file.TakeCookie();
        var leaf = file.Tree.FindLeaf(Window.Of(page));
        found = leaf is null ? default : new Found(leaf, cookie);
        return leaf is { IsDead: false } && IsYoungEnough(file.Volume, leaf, Window.SlotOf(page));
    }

    /// <summary>Finds or makes the leaf of a page.</summary>
    /// <returns>The leaf; null if the page is behind the end of the file, which was truncated meanwhile.</returns>
    /// <exception cref="ExtentMapException">The engine failed, answered against the rules, or never stood still.</exception>
    public async ValueTask<Found?> FindAsync(
        FileMapping file, long page, bool blocking, CancellationToken cancellationToken)
    {
        var window = Window.Of(page);
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (TryFind(file, page, out var found))
            {
                return found;
            }

            if (page << file.Volume.PageShift >= file.Tree.Length)
            {
                return null;
            }

            // Both are taken before the question: an answer is as old as the moment before it was asked for.
            var age = file.Volume.Clock.Now;
            var cookie = file.TakeCookie();
            var old = file.Tree.FindLeaf(window);
            var runs = await ExtentReader.ReadAsync(file, window, blocking, cancellationToken).ConfigureAwait(false);
            file.ThrowIfClosed();
            var slots = ExtentReader.SlotCountOf(file, window);
            if (slots <= Window.SlotOf(page))
            {
                continue;
            }

            var leaf = file.Volume.Leaves.FindOrAdd(runs, slots, age, families, ledger);
            if (leaf is null && (attempt < PatientAttempts || HasChanged(file.Volume, runs, age, Window.SlotOf(page))))
            {
                continue;
            }

            // Each page of a leaf is trusted only as far as its own blocks are younger than the leaf.
            leaf ??= file.Volume.Leaves.MakeUnlisted(runs, slots, age, families, ledger);

            if (old is null)
            {
                file.PublishLeaf(window, leaf, cookie);
            }
            else
            {
                file.ExchangeLeaf(window, old, leaf, cookie);
            }
        }

        throw new ExtentMapException(
            file.Id, file.Name, page << file.Volume.PageShift, file.Volume.PageSize,
            $"they changed {MaxAttempts} times while they were asked for.");
    }

    /// <summary>Whether nothing has happened to the blocks of a page since the leaf's extents were asked for.</summary>
    public static bool IsYoungEnough(VolumeMap volume, Leaf leaf, int slot)
    {
        if (leaf.IsProvisional(slot))
        {
            // Newer than anything on the device.
            return true;
        }

        if (leaf.Age == Leaf.Void || slot >= leaf.Slots.Length)
        {
            return false;
        }

        var reference = leaf[slot];
        if (reference.Kind == ReferenceKind.Hole)
        {
            return true;
        }

        if (reference.Kind == ReferenceKind.OnDevice)
        {
            return !volume.Clock.HasChangedSince(leaf.Age, reference.Block);
        }

        return !HasChanged(volume, leaf.Runs, leaf.Age, slot);
    }

    /// <summary>
    /// Whether a page that nobody has written to still is what it was at a moment of the volume's clock: dirty, or in blocks
    /// to which nothing has happened since. Not known of a page that only the engine could answer for.
    /// </summary>
    public static bool IsUnchangedSince(VolumeMap volume, Leaf leaf, int slot, long clock) =>
        leaf.IsProvisional(slot)
        || (leaf.Age != Leaf.Void && slot < leaf.Slots.Length && !HasChanged(volume, leaf.Runs, clock, slot));

    private static bool HasChanged(VolumeMap volume, WindowRuns runs, long age, int slot)
    {
        var start = slot << volume.PageShift;
        foreach (var run in runs)
        {
            if (run.Start >= start + volume.PageSize)
            {
                break;
            }

            if (run.End > start && !run.IsOpaque
                && volume.Clock.HasChangedSince(age, run.Clip(start, start + volume.PageSize), volume.PageShift))
            {
                return true;
            }
        }

        return false;
    }
}
