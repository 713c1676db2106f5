using System.Buffers;

namespace SharedPageCache.Tests.Nested;

// <nested-extents>
public sealed class NestedExtents(IExtentMap inner, IExtentMap outer) : IExtentMap
{
    public long Sequence => inner.Sequence + outer.Sequence;

    public async ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        var inside = new ArrayBufferWriter<Extent>();
        await inner.GetExtentsAsync(offset, length, inside, cancellationToken);
        foreach (var extent in inside.WrittenSpan.ToArray())
        {
            if (extent.ReadsZero)
            {
                destination.Write([extent]);
                continue;
            }

            // Where the inner file system believes that a device is, there is a file.
            var (image, end) = (new ArrayBufferWriter<Extent>(), extent.PhysicalOffset + extent.Length);
            await outer.GetExtentsAsync(extent.PhysicalOffset, extent.Length, image, cancellationToken);
            foreach (var part in image.WrittenSpan.ToArray())
            {
                var start = Math.Max(part.FileOffset, extent.PhysicalOffset);
                var count = Math.Min(part.FileEnd, end) - start;
                if (count > 0)
                {
                    destination.Write([part with
                    {
                        FileOffset = extent.FileOffset + (start - extent.PhysicalOffset),
                        Length = count,
                        PhysicalOffset = part.ReadsZero ? 0 : part.PhysicalOffset + (start - part.FileOffset),
                    }]);
                }
            }
        }
    }
}

// </nested-extents>
