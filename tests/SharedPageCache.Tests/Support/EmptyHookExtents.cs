using System.Buffers;

namespace SharedPageCache.Tests.Support;

/// <summary>A file in one piece whose clone hook does nothing, so that only the cache's own cost is seen.</summary>
public sealed class EmptyHookExtents(long fileLength) : ICloneableExtentMap
{
    public long Sequence => 0;

    public IExtentMap Clone() => this;

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        destination.Write([new Extent(0, fileLength, 0)]);
        return ValueTask.CompletedTask;
    }
}
