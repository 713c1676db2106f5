using System.Buffers;

namespace SharedPageCache.HitRate;

/// <summary>Where the pages of one clone lie: the common ones in blocks of all clones, the others in blocks of its own.</summary>
internal sealed class CloneMap(int clone, int pageCount, int pageSize, bool isShared) : IExtentMap
{
    public long Sequence => 0;

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        var end = Math.Min(pageCount, (offset + length + pageSize - 1) / pageSize);
        for (var page = offset / pageSize; page < end;)
        {
            var first = page;
            var isOwn = IsOwn(page);
            for (page++; page < end && IsOwn(page) == isOwn; page++)
            {
            }

            var block = first + (isOwn ? (clone + 1L) * pageCount : 0);
            destination.Write([new Extent(first * pageSize, (page - first) * pageSize, block * pageSize)]);
        }

        return ValueTask.CompletedTask;
    }

    private bool IsOwn(long page) => !isShared || CloneReplay.IsPrivate(page);
}
