using System.Buffers;

namespace SharedPageCache.Benchmarks;

/// <summary>
/// A file of holes whose engine has nothing to do, on a volume that nothing is written back to: what was written stays
/// dirty, and what is measured is the cache's own.
/// </summary>
internal sealed class DirtyFile : IWritableExtentMap, IPlacementEngine
{
    public long Sequence { get; private set; }

    /// <summary>How often the engine was asked for a place: none while clones are made.</summary>
    public int Placements { get; private set; }

    public IExtentMap Clone() => this;

    public void SetLength(long newLength) => Sequence++;

    public void PunchHole(long offset, long length) => Sequence++;

    public void Delete() => Sequence++;

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask PlaceAsync(
        ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken)
    {
        Placements++;
        throw new IOException("nothing is written back here.");
    }

    public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners)
    {
    }

    public ValueTask PersistAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public void Abandon(BlockRun run)
    {
    }
}
