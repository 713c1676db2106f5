using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Writeback;

/// <summary>
/// The step that turns written images into blocks of files: the engine binds, the leaves follow, the frames get their
/// identity. All of it in one hold of the volume's binding lock.
/// </summary>
/// <remarks>
/// <para>
/// <b>Owners</b> are who shows the frame now, and who showed it when the image froze and has since only overwritten it: the
/// flush that waits for this promised them durability, and their next image will be bound after this one. A place that was
/// cut (punched, truncated, deleted) is no owner, nor is one that shows another image of the same write-back by now. A run is
/// published in pieces of pages that have the same owners.
/// </para>
/// <para>
/// <b>Order.</b> The engine binds (it may refuse: nothing has happened) -> runs of every owner's leaf, slots settled ->
/// identity, clean -> physical table -> policy. Until the lock is given back the run is listed as placed, so nobody loads
/// it and nobody discards it: the insertion finds no rival.
/// </para>
/// </remarks>
internal sealed class Publication(VolumeMap volume, WritebackServices services, IReadOnlyList<DirtyImage> images)
{
    private readonly OwnerWalk _walk = services.Provisional.NewWalk();
    private readonly HashSet<DirtyImage> _settled = [];
    private readonly Dictionary<DirtyImage, List<Owner>> _owners = [];
    private readonly Dictionary<DirtyImage, List<Owner>> _now = [];
    private HashSet<(FileMapping File, long Page)>? _places;

    /// <summary>Images that the engine refused to bind.</summary>
    public List<(IReadOnlyList<DirtyImage> Images, string Step, Exception Error)> Failures { get; } = [];

    /// <summary>Publishes a piece that is on the device.</summary>
    public void Publish(PlacedPiece piece)
    {
        for (var first = 0; first < piece.Images.Count;)
        {
            var owners = OwnersOf(piece.Images[first]);
            var count = 1;
            for (var last = owners; first + count < piece.Images.Count; count++)
            {
                var next = OwnersOf(piece.Images[first + count]);
                if (!DirtyImage.Continues(last, next))
                {
                    break;
                }

                last = next;
            }

            var blocks = new BlockRun(
                piece.Run.Blocks.Offset + ((long)first << services.PageShift), (long)count << services.PageShift);
            PublishEqual(piece.Images.GetRange(first, count), new PlacedRun(blocks, piece.Run.Generation), owners);
            first += count;
        }
    }

    /// <summary>
    /// Lets go of an image: one that was not settled is dirty again, unless nobody shows it any more.
    /// </summary>
    /// <returns>Whether the page is no longer dirty.</returns>
    public bool Release(DirtyImage image)
    {
        if (_settled.Contains(image))
        {
            return true;
        }

        if (volume.IsDetached || _walk.Find(image.Frame, image.Generation).Count == 0)
        {
            return services.Provisional.Orphan(volume, image.Frame, image.Generation, duringWriteback: true);
        }

        services.Guard?.Thaw(image.Frame);
        services.Frames[image.Frame].State.Thaw(image.Generation);
        return false;
    }

    /// <summary>Owners as the engine sees them.</summary>
    public static RunOwner[] RunOwnersOf(List<Owner> owners, int pageShift) =>
        [.. owners.Select(owner => new RunOwner(owner.File.Extents, owner.Page << pageShift))];

    /// <summary>Who is bound to an image: see above.</summary>
    public List<Owner> OwnersOf(DirtyImage image)
    {
        if (_owners.TryGetValue(image, out var known))
        {
            return known;
        }

        var places = PlacesNow();
        var owners = _now[image];
        foreach (var frozen in image.Owners)
        {
            if (!volume.IsDetached && !places.Contains((frozen.File, frozen.Page)) && !volume.Cuts.Contains(frozen.File, frozen.Page)
                && frozen.File.Tree.FindLeaf(Window.Of(frozen.Page)) is { } leaf)
            {
                owners.Add(frozen with { Leaf = leaf });
            }
        }

        // In an order that is the same for every image, so that pages with the same owners are found to have them.
        owners.Sort(static (left, right) =>
            (RuntimeHelpers.GetHashCode(left.File), left.Page).CompareTo((RuntimeHelpers.GetHashCode(right.File), right.Page)));
        _owners.Add(image, owners);
        return owners;
    }

    /// <summary>
    /// The places that show any image of this write-back now. A clone of a range may have put one there since it froze: then
    /// that is bound to the place, and no older one, before or after it.
    /// </summary>
    private HashSet<(FileMapping File, long Page)> PlacesNow()
    {
        if (_places is null)
        {
            _places = [];
            foreach (var image in images)
            {
                List<Owner> owners = volume.IsDetached ? [] : _walk.Find(image.Frame, image.Generation);
                _now.Add(image, owners);
                _places.UnionWith(owners.Select(static owner => (owner.File, owner.Page)));
            }
        }

        return _places;
    }

    private void PublishEqual(List<DirtyImage> images, PlacedRun run, List<Owner> owners)
    {
        if (owners.Count == 0)
        {
            Abandon(images, run.Blocks);
            return;
        }

        var files = owners.Select(static owner => owner.File).Distinct().ToList();
        var sequences = files.ConvertAll(static file => file.SequenceOrUnknown());
        try
        {
            using (EngineCode.Enter($"{nameof(IPlacementEngine)}.{nameof(IPlacementEngine.Publish)}"))
            {
                volume.Placement!.Publish(run.Blocks, RunOwnersOf(owners, services.PageShift));
            }
        }
        catch (Exception error)
        {
            Failures.Add((images, "Publish", error));
            Abandon(images, run.Blocks);
            return;
        }

        volume.OwePersist();
        volume.Bad.Remove(run.Blocks);
        for (var i = 0; i < files.Count; i++)
        {
            files[i].NoteOwnChange(sequences[i]);
        }

        BindLeaves(images, run);
        for (var i = 0; i < images.Count; i++)
        {
            Settle(images[i], (run.Blocks.Offset >> services.PageShift) + i, run.Generation);
        }

        services.Counters.RunsPublished.Increment();
    }

    private void Abandon(List<DirtyImage> images, BlockRun run)
    {
        try
        {
            using (EngineCode.Enter($"{nameof(IPlacementEngine)}.{nameof(IPlacementEngine.Abandon)}"))
            {
                volume.Placement!.Abandon(run);
            }
        }
        catch (Exception error)
        {
            Failures.Add((images, "Abandon", error));
        }
    }

    /// <summary>The leaves of all owners map the new blocks from now on; each leaf once, whoever shares it.</summary>
    private void BindLeaves(List<DirtyImage> images, PlacedRun run)
    {
        var shift = services.PageShift;
        var spans = new Dictionary<(Leaf Leaf, int Delta), (int First, int Last)>();
        for (var i = 0; i < images.Count; i++)
        {
            foreach (var owner in _owners[images[i]])
            {
                var key = (owner.Leaf, Window.SlotOf(owner.Page) - i);
                spans[key] = spans.TryGetValue(key, out var span) ? (span.First, i) : (i, i);
            }
        }

        foreach (var ((leaf, delta), (first, last)) in spans)
        {
            leaf.Lock.Enter();
            var start = first + delta << shift;
            var length = last - first + 1 << shift;
            leaf.ExchangeRuns(
                start, start + length,
                new WindowRun(start, length, run.Blocks.Offset + ((long)first << shift), ExtentFlags.None, run.Generation));
            for (var i = first; i <= last; i++)
            {
                var slot = i + delta;
                if (leaf.IsProvisional(slot) && leaf[slot] == PageReference.Resident(images[i].Frame, images[i].Generation))
                {
                    leaf.Settle(slot);
                }
            }

            leaf.Lock.Exit();
            volume.Regions.Add(leaf);
        }
    }

    private void Settle(DirtyImage image, long block, uint generation)
    {
        var frame = image.Frame;
        var identity = BlockIdentity.Of(volume.Number, block, generation);
        volume.Dirty.Remove(frame);
        _settled.Add(image);
        services.Frames.SetIdentity(frame, identity);
        services.Frames[frame].State.TrySettle(image.Generation);
        Backoff backoff = default;
        while (services.Table.TryInsert(frame, identity) >= 0)
        {
            // The engine has given out a block that somebody shows: what is cached of it is not what it holds now.
            services.Sink.DropBlocks(volume, new BlockRun(block << services.PageShift, services.PageSize));
            backoff.Once();
        }

        services.Sink.Admit(frame, image.Generation, identity.Hash);
    }
}
