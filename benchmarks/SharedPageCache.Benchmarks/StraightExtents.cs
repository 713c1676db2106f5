using System.Buffers;

namespace SharedPageCache.Benchmarks;

/// <summary>A file that lies on the device in one piece.</summary>
internal sealed class StraightExtents(long start, long length) : ICloneableExtentMap
{
    public long Sequence => 0;

    /// <summary>The hook of an engine that has nothing to do: the cost that is left is the cache's.</summary>
    public IExtentMap Clone() => this;

    public ValueTask GetExtentsAsync(
        long offset, long rangeLength, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        destination.Write([new Extent(0, length, start)]);
        return ValueTask.CompletedTask;
    }
}
