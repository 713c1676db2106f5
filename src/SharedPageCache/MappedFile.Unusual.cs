using System.Runtime.CompilerServices;
using SharedPageCache.Mappings;

namespace SharedPageCache;

/// <content>
/// What a read or a lease goes on with if it is not of the most usual kind. In methods of their own: the compiler keeps in registers what the
/// usual kind needs, if nothing else has to be kept for these.
/// </content>
public sealed partial class MappedFile
{
    /// <summary>A read that is none of a few bytes in memory.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private bool TryReadInPage(long offset, Span<byte> destination, out int bytesRead)
    {
        ThrowIfUnusable(offset);
        var tree = _mapping.Tree;
        if (_reader.TryCopyInOnePage(_mapping, tree, offset, destination))
        {
            _reader.Hits.Add(1);
            bytesRead = destination.Length;
            return true;
        }

        return TryReadPages(tree, offset, destination, out bytesRead);
    }

    /// <summary>A read that is none of a few bytes in memory.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private int ReadInPage(long offset, Span<byte> destination)
    {
        ThrowIfUnusable(offset);
        if (_reader.TryCopyInOnePage(_mapping, _mapping.Tree, offset, destination))
        {
            _reader.Hits.Add(1);
            return destination.Length;
        }

        var cursor = _engine.Reads.Begin(_mapping, offset, destination.Length);
        return cursor.CopyResident(destination) ? cursor.Done : _engine.Reads.Read(cursor, _mapping, destination);
    }

    /// <summary>What is no hit inside one page.</summary>
    private ValueTask<int> ReadPagesAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var cursor = _engine.Reads.Begin(_mapping, offset, destination.Length);
        return cursor.CopyResident(destination.Span)
            ? new ValueTask<int>(cursor.Done)
            : _engine.Reads.ReadAsync(cursor, _mapping, destination, cancellationToken);
    }

    /// <summary>A lease that is not usual.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryPinAny(long offset, int pinned, out PageLease lease)
    {
        _engine.Leases.GiveUp(pinned);
        ThrowIfUnusable(offset);
        var tree = _mapping.Tree;
        ThrowIfOutside(offset, tree);
        if (!_engine.Leases.TryTake(_mapping, tree, offset >> _engine.Rooms.PageShift, out var hold))
        {
            lease = default;
            return false;
        }

        var inPage = (int)offset & (_engine.Rooms.PageSize - 1);
        var span = _engine.Leases.Span(hold)[inPage..];
        lease = new PageLease(
            _engine.Leases, hold.Frame, _engine.Leases.Enter(LeaseKind.Stack, _mapping, offset, hold, origin: null), Clip(span, tree.Length - offset));
        return true;
    }

    /// <summary>What is no read inside one page that is in memory.</summary>
    private bool TryReadPages(PageTree tree, long offset, Span<byte> destination, out int bytesRead)
    {
        var count = (int)Math.Max(0, Math.Min(destination.Length, tree.Length - offset));
        bytesRead = _reader.CopyResident(_mapping, tree, offset, destination[..count]);
        if (bytesRead == count)
        {
            return true;
        }

        destination[..bytesRead].Clear();
        bytesRead = 0;
        return false;
    }
}
