using System.Buffers;

namespace SharedPageCache.Measures.Files;

/// <summary>A file that lies on the device in one piece.</summary>
/// <param name="start">Where on the device.</param>
/// <param name="bytes">How long.</param>
public sealed class StraightExtents(long start, long bytes) : ICloneableExtentMap
{
    /// <inheritdoc/>
    public long Sequence => 0;

    /// <summary>The hook of an engine that has nothing to do: the cost that is left is the cache's.</summary>
    public IExtentMap Clone() => this;

    /// <inheritdoc/>
    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        destination.Write([new Extent(0, bytes, start)]);
        return ValueTask.CompletedTask;
    }
}
