using SharedPageCache.Frames;

namespace SharedPageCache;

/// <content>What may be shown to a tenant. Everything else of the cache's figures is the operator's.</content>
public sealed partial class CachedVolume
{
    /// <summary>What the files of a security domain have done on this volume. Costs in proportion to the volume's dirty pages.</summary>
    /// <param name="domain">The domain; default the volume's own.</param>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public DomainReport GetReport(SecurityDomain domain = default)
    {
        ThrowIfDetached();
        if (_map.FindAccount(domain) is not { } account)
        {
            return default;
        }

        var dirty = _map.Dirty.All().Count(entry => entry.Value.File.Account == account);
        return new DomainReport(account.OpenFiles, (long)dirty << _map.PageShift, account.FirstUses.Sum, account.LoadFailures.Sum);
    }

    /// <summary>
    /// The reverse query as it may be shown to a tenant: the places in files of one security domain that show blocks of a run.
    /// </summary>
    /// <remarks>
    /// As <see cref="FindReferences(BlockRun)"/>, but a page counts as resident only for a file that has used it, so that the answer does not
    /// say what another domain has brought into memory.
    /// </remarks>
    /// <param name="run">The blocks, as bytes of the device.</param>
    /// <param name="domain">The domain whose files are asked for.</param>
    /// <exception cref="ArgumentException">The run is negative, empty, unaligned or overflows.</exception>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public IEnumerable<PageLocation> FindReferences(BlockRun run, SecurityDomain domain)
    {
        Check(run, nameof(run));
        ThrowIfDetached();
        return _engine.Query.Find(_map, run)
            .Where(answer => answer.File.Domain == domain)
            .Select(answer => LocationOf(answer with
            {
                IsResident = answer.IsResident && answer.File.Touches is { } used && used.IsSet(answer.Offset >> _map.PageShift),
            }));
    }

    /// <summary>The number that stands for the volume comes free: what its default domain has left in frames is nobody's to see.</summary>
    private void Disown() => _engine.Rooms.Pool.Disown(FrameOwner.Of(_map.Number, SecurityDomain.Default));
}
