using SharedPageCache.Faults;

namespace SharedPageCache;

/// <content>Leases as plain values.</content>
public sealed partial class MappedFile
{
    /// <summary>
    /// Leases the page at an offset as a plain value, if it is in memory and leases may hold one more frame. Never waits,
    /// never reads the device, allocates nothing.
    /// </summary>
    /// <param name="offset">A byte of the page, inside the file.</param>
    /// <param name="page">The page, which the caller releases exactly once.</param>
    /// <returns>Whether the page was leased.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative or not inside the file.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public bool TryKeep(long offset, out KeptPage page)
    {
        ThrowIfUnusable(offset);
        var tree = _mapping.Tree;
        ThrowIfOutside(offset, tree);
        if (!_engine.Leases.TryTake(_mapping, tree, offset >> _engine.Rooms.PageShift, out var hold))
        {
            page = default;
            return false;
        }

        var inPage = (int)offset & (_engine.Rooms.PageSize - 1);
        page = new KeptPage(
            _engine.Leases, hold.Kind == PageHoldKind.Zero ? -1 : hold.Frame,
            _engine.Leases.Enter(LeaseKind.Kept, _mapping, offset, hold, origin: null), inPage,
            (int)Math.Min(_engine.Rooms.PageSize - inPage, tree.Length - offset));
        return true;
    }
}
