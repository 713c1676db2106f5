using System.Buffers;

namespace SharedPageCache.Measures.Files;

/// <summary>
/// A writable file whose engine has nothing to do, on a volume that nothing is written back to: what was written stays dirty, and
/// what is measured is the cache's own.
/// </summary>
/// <param name="cleanBytes">How much of it lies on the device, in one piece from its start; the rest is a hole.</param>
public sealed class DirtyFile(long cleanBytes = 0) : IWritableExtentMap, IPlacementEngine
{
    /// <inheritdoc/>
    public long Sequence { get; private set; }

    /// <summary>How often the engine was asked for a place: none while clones are made.</summary>
    public int Placements { get; private set; }

    /// <inheritdoc/>
    public IExtentMap Clone() => this;

    /// <inheritdoc/>
    public void SetLength(long newLength) => Sequence++;

    /// <inheritdoc/>
    public void PunchHole(long offset, long length) => Sequence++;

    /// <inheritdoc/>
    public void Delete()
    {
    }

    /// <inheritdoc/>
    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        if (cleanBytes > 0)
        {
            destination.Write([new Extent(0, cleanBytes, 0)]);
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public ValueTask PlaceAsync(
        ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken)
    {
        Placements++;
        throw new IOException("nothing is written back here.");
    }

    /// <inheritdoc/>
    public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners)
    {
    }

    /// <inheritdoc/>
    public ValueTask PersistAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public void Abandon(BlockRun run)
    {
    }
}
