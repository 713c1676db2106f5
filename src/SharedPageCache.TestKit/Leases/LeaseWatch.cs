using System.Diagnostics;
using System.Text;

namespace SharedPageCache.TestKit.Leases;

/// <summary>
/// Watches the leases of an engine under test: at the end of a test it fails if one is left, was leaked or given back twice,
/// or if memory was overwritten, and says with which stack the lease was taken.
/// </summary>
/// <remarks>
/// Runs the cache in checked mode. Needs no test framework: a failure is a <see cref="LeaseWatchException"/>. Thread-safe.
/// </remarks>
/// <example>
/// <code>
/// var watch = new LeaseWatch();
/// using var cache = new PageCache(watch.Watch(new PageCacheOptions { CapacityBytes = 1 &lt;&lt; 20 }));
/// await RunMyEngineAsync(cache);
/// watch.AssertClean(cache);
/// </code>
/// </example>
[DebuggerDisplay("{_found.Count} misuses")]
public sealed class LeaseWatch
{
    private const int Rounds = 3;

    private readonly List<CacheMisuse> _found = [];
    private readonly Lock _lock = new();

    /// <summary>What was found so far.</summary>
    public IReadOnlyList<CacheMisuse> Found
    {
        get
        {
            lock (_lock)
            {
                return [.. _found];
            }
        }
    }

    /// <summary>Turns checked mode on in the options of a cache that is going to be made, and listens.</summary>
    /// <param name="options">The options; changed. A listener that is there already is told, too.</param>
    /// <returns>The same options.</returns>
    /// <exception cref="ArgumentNullException">No options.</exception>
    public PageCacheOptions Watch(PageCacheOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var others = options.CheckedReport;
        options.Checked = true;
        options.CheckedReport = misuse =>
        {
            lock (_lock)
            {
                _found.Add(misuse);
            }

            others?.Invoke(misuse);
        };
        return options;
    }

    /// <summary>Fails if a lease is held or was misused, or if the cache's self-check fails.</summary>
    /// <param name="cache">A cache that was made with options of <see cref="Watch"/>.</param>
    /// <param name="collect">
    /// Whether to have the garbage collector look first for leases that nobody refers to any more: they are told as leaked,
    /// and not as held.
    /// </param>
    /// <exception cref="ArgumentException">The cache is not in checked mode: nothing would ever be found.</exception>
    /// <exception cref="LeaseWatchException">Something was found; the message says all of it, with the stacks.</exception>
    /// <exception cref="CacheCorruptionException">The self-check fails for something else.</exception>
    public void AssertClean(PageCache cache, bool collect = true)
    {
        ArgumentNullException.ThrowIfNull(cache);
        if (!cache.Options.Checked)
        {
            throw new ArgumentException("The cache is not in checked mode: make its options by LeaseWatch.Watch.", nameof(cache));
        }

        for (var round = 0; collect && round < Rounds; round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        var (held, found) = (cache.GetHolders(), Found);
        if (held.Count > 0 || found.Count > 0)
        {
            throw new LeaseWatchException(InWords(held, found), held, found);
        }

        cache.Verify();
    }

    private static string InWords(IReadOnlyList<PageHolder> held, IReadOnlyList<CacheMisuse> found)
    {
        var text = new StringBuilder($"{held.Count} leases are held, and {found.Count} misuses were found.");
        foreach (var holder in held)
        {
            text.AppendLine().AppendLine().AppendLine($"Held: {holder}").Append(holder.TakenAt);
        }

        foreach (var misuse in found)
        {
            text.AppendLine().AppendLine().Append(misuse);
        }

        return text.ToString();
    }
}
