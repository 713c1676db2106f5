using SharedPageCache.Mappings;
using SharedPageCache.Memory;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>What an engine does to blocks of its own that the cache also shows: writes them in place, reports them bad, repairs them.</summary>
/// <remarks>
/// <para>
/// <b>A direct write</b> lists its run, then drops what is cached or being loaded of it; while it is listed no load of it publishes
/// and none begins (see <see cref="PlacedBlocks"/>). So no page is made of bytes from before and after. The clock stands still:
/// extents say the same as before.
/// </para>
/// <para>
/// <b>A bad block</b> is listed in the same way (<see cref="BadBlocks"/>), and who reads it is told. A repair is a direct write of
/// the device image; the block is taken off the bad list before the run is given back to loads.
/// </para>
/// <para>
/// Takes no gate and no binding lock. Dirty pages over such blocks are what their files show; they are not concerned.
/// </para>
/// </remarks>
internal sealed class BlockCare(Rooms rooms, BlockInvalidation invalidation, ReverseQuery query, DeviceWriter writer)
{
    /// <summary>Begins a direct write; false if another write of its blocks is under way.</summary>
    public bool TryBeginWrite(VolumeMap volume, BlockRun run)
    {
        if (!volume.Placed.TryAddDirect(run))
        {
            return false;
        }

        invalidation.DropCached(volume, run);
        return true;
    }

    /// <summary>The direct write is over: the run may be read again.</summary>
    public static void EndWrite(VolumeMap volume, BlockRun run) => volume.Placed.RemoveDirect(run);

    /// <summary>Blocks are bad: nothing is read from them any more, and what is cached of them is not believed.</summary>
    /// <returns>Every place that shows them, but for pages that are dirty.</returns>
    public List<ReverseQuery.Answer> Report(VolumeMap volume, BlockRun run)
    {
        volume.Bad.Add(run);
        invalidation.DropCached(volume, run);
        return OwnersOf(volume, run);
    }

    /// <summary>Writes good bytes to bad blocks, once for all who show them.</summary>
    /// <param name="volume">The volume.</param>
    /// <param name="run">The run, all of it bad; a direct write of it has begun.</param>
    /// <param name="content">What the device shall hold.</param>
    /// <exception cref="ArgumentException">A page of the content fails its checksum.</exception>
    /// <exception cref="CacheWritebackException">The device failed: the run is as bad as before.</exception>
    public async Task RepairAsync(VolumeMap volume, BlockRun run, ReadOnlyMemory<byte> content)
    {
        var owners = OwnersOf(volume, run);
        VerifySeals(volume, run, content.Span, owners);
        var first = owners.Find(owner => owner.Blocks.Offset == run.Offset);
        var origin = first.File is { } file ? new BlockOrigin(file.Extents, first.Offset) : default;
        var bounce = new AlignedBuffer((int)run.Length);
        content.CopyTo(bounce.Memory);
        await StepAsync(run, "write", () => writer.WriteAsync(volume.Device, run, origin, [bounce.Memory])).ConfigureAwait(false);
        await StepAsync(run, "flush", () => volume.Device.FlushAsync(CancellationToken.None).AsTask()).ConfigureAwait(false);
        volume.Bad.Remove(run);
    }

    private static async Task StepAsync(BlockRun run, string step, Func<Task> act)
    {
        try
        {
            await act().ConfigureAwait(false);
        }
        catch (Exception error)
        {
            throw new CacheWritebackException(
                FileId.None, null, -1, run.Length, step, $"the blocks {run} could not be repaired: {error.Message}", error);
        }
    }

    private List<ReverseQuery.Answer> OwnersOf(VolumeMap volume, BlockRun run) =>
        [.. query.Find(volume, run).Where(answer => LeafOf(answer) is not { } leaf || !leaf.IsProvisional(SlotOf(answer)))];

    private void VerifySeals(VolumeMap volume, BlockRun run, ReadOnlySpan<byte> content, List<ReverseQuery.Answer> owners)
    {
        if (volume.Seal is not { } seal)
        {
            return;
        }

        // A page that is repaired in part is verified when it is loaded.
        var mask = rooms.PageSize - 1L;
        for (var at = run.Offset + mask & ~mask; at + rooms.PageSize <= run.End; at += rooms.PageSize)
        {
            var block = at >> rooms.PageShift;
            var physical = new PhysicalBlock(volume.Id, block, GenerationOf(owners, at));
            if (!seal.Verify(physical, content.Slice((int)(at - run.Offset), rooms.PageSize)))
            {
                throw new ArgumentException($"The content for {physical} fails its checksum; nothing was written.", nameof(content));
            }
        }
    }

    /// <summary>The engine's generation of a block, as a file that shows it knows it; 0 if none does.</summary>
    private uint GenerationOf(List<ReverseQuery.Answer> owners, long at)
    {
        foreach (var owner in owners)
        {
            if (owner.Blocks.Overlaps(new BlockRun(at, rooms.PageSize))
                && LeafOf(owner)?.ResolveByRuns(SlotOf(owner), rooms.PageShift) is { Kind: PageSourceKind.Block } source
                && source.Block == at >> rooms.PageShift)
            {
                return source.Generation;
            }
        }

        return 0;
    }

    private Leaf? LeafOf(ReverseQuery.Answer answer) => answer.File.Tree.FindLeaf(Window.Of(answer.Offset >> rooms.PageShift));

    private int SlotOf(ReverseQuery.Answer answer) => Window.SlotOf(answer.Offset >> rooms.PageShift);
}
