using System.Buffers;

namespace SharedPageCache.Tests.Support;

/// <summary>Extents in a list that tests change at will.</summary>
public class ListExtents(params Extent[] extents) : IExtentMap
{
    private Extent[] _extents = extents;
    private long _sequence;
    private int _asked;

    public long Sequence => Interlocked.Read(ref _sequence);

    /// <summary>How often the map was asked.</summary>
    public int Asked => Volatile.Read(ref _asked);

    /// <summary>The extents as they are now.</summary>
    public Extent[] Current => Volatile.Read(ref _extents);

    /// <summary>Called when the map is asked, before it answers.</summary>
    public Func<Task>? BeforeAnswer { get; set; }

    public void Replace(params Extent[] extents)
    {
        Interlocked.Increment(ref _sequence);
        Volatile.Write(ref _extents, extents);
    }

    public async ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _asked);
        if (BeforeAnswer is { } before)
        {
            await before();
        }

        foreach (var extent in Volatile.Read(ref _extents))
        {
            if (extent.FileOffset < offset + length && extent.FileEnd > offset || extent.Length <= 0 || extent.FileOffset < 0
                || extent.FileEnd < extent.FileOffset)
            {
                destination.Write([extent]);
            }
        }
    }
}

/// <summary>Extents that an engine clones in memory.</summary>
public sealed class CloneableExtents(params Extent[] extents) : ListExtents(extents), ICloneableExtentMap
{
    public IExtentMap Clone() => new CloneableExtents(Current);
}
