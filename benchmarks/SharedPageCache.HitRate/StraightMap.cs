using System.Buffers;

namespace SharedPageCache.HitRate;

/// <summary>A file that is the device: each byte lies at its own offset.</summary>
internal sealed class StraightMap(long fileLength) : IExtentMap
{
    public long Sequence => 0;

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        destination.Write([new Extent(0, fileLength, 0)]);
        return ValueTask.CompletedTask;
    }
}
