using SharedPageCache.Concurrency;
using SharedPageCache.Faults;

namespace SharedPageCache;

/// <content>Blocks that the engine writes by itself, that have gone bad, and that are repaired.</content>
public sealed partial class CachedVolume
{
    /// <summary>
    /// Begins a write of the engine's own to blocks in place, past the cache. Call it before the first byte changes on the device, and
    /// dispose the result when the device has done: what is cached of the blocks is dropped now, and who reads them meanwhile
    /// waits, so nobody sees bytes from before and after the write in one page, and nobody who reads later sees the old ones.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The blocks must stay where the files' extents say that they are; if extents change with the write, that is said as usual
    /// (<see cref="Discard"/>, <see cref="MappedFile.InvalidateExtents"/>). Takes no gate and waits for nothing. Leases taken before stay as
    /// they are. A dirty page is newer than the block that it was made from: its file goes on to show it.
    /// </para>
    /// <para>
    /// Do not read these blocks through the cache before the result is disposed: such a read waits for that. They may be
    /// discarded meanwhile, not relocated.
    /// </para>
    /// </remarks>
    /// <param name="run">The blocks, as bytes of the device.</param>
    /// <exception cref="ArgumentException">The run is negative, empty, unaligned or overflows.</exception>
    /// <exception cref="InvalidOperationException">A write-back or another direct write of blocks of the run is under way.</exception>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public DirectWrite BeginDirectWrite(BlockRun run)
    {
        Check(run, nameof(run));
        ThrowIfDetached();
        return _engine.Blocks.TryBeginWrite(_map, run) ? new DirectWrite(_map, run) : throw BeingWritten(run);
    }

    /// <summary>
    /// Blocks have gone bad. What is cached of them is not believed any more, and reading them fails with a
    /// <see cref="PageLoadException"/> that names file, offset and blocks, without asking the device, until they are repaired
    /// (<see cref="RepairAsync"/>), written anew by a write-back, or discarded. Leases taken before stay readable; dirty pages are
    /// not concerned.
    /// </summary>
    /// <param name="run">The blocks, as bytes of the device.</param>
    /// <returns>Every place of every open file that shows them, as <see cref="FindReferences(BlockRun)"/> answers, but for dirty pages.</returns>
    /// <exception cref="ArgumentException">The run is negative, empty, unaligned or overflows.</exception>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public IReadOnlyList<PageLocation> ReportBadBlocks(BlockRun run)
    {
        Check(run, nameof(run));
        ThrowIfDetached();
        return _engine.Blocks.Report(_map, run).ConvertAll(LocationOf);
    }

    /// <summary>
    /// Repairs blocks that were reported bad: writes them in place, once for all who show them, and flushes the device. From then on
    /// they are read like any others.
    /// </summary>
    /// <param name="run">The blocks, all of them reported bad.</param>
    /// <param name="content">What the device shall hold: with a seal, sealed pages. They are verified before anything is written.</param>
    /// <exception cref="ArgumentException">
    /// The run is negative, empty, unaligned or overflows, the content has another length, or a page of it fails its checksum.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// Blocks of the run were not reported bad, or a write-back or direct write of them is under way.
    /// </exception>
    /// <exception cref="CacheWritebackException">The device failed; the blocks are as bad as before.</exception>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public async ValueTask RepairAsync(BlockRun run, ReadOnlyMemory<byte> content)
    {
        EngineCode.ThrowIfInCallback();
        Check(run, nameof(run));
        if (content.Length != run.Length)
        {
            throw new ArgumentException($"The content of {content.Length} bytes is not as long as the run {run}.", nameof(content));
        }

        ThrowIfDetached();
        ThrowIfGood(run);
        using var write = BeginDirectWrite(run);

        // Another repair, or a discard, may have come first.
        ThrowIfGood(run);
        await _engine.Blocks.RepairAsync(_map, run, content).ConfigureAwait(false);
    }

    private void ThrowIfGood(BlockRun run)
    {
        if (!_map.Bad.Covers(run))
        {
            throw new InvalidOperationException($"Blocks of {run} were not reported bad, or were repaired or discarded since.");
        }
    }

    private static PageLocation LocationOf(ReverseQuery.Answer answer) => new(
        answer.File.Id, answer.File.Name, answer.File.Extents, answer.Offset, answer.Blocks, answer.IsResident);
}
