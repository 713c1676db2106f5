using System.Diagnostics;
using System.Numerics;
using System.Text;
using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache;

/// <summary>
/// A page cache that knows about clones: it holds each block of its volumes at most once, however many files, clones and
/// offsets show it.
/// </summary>
/// <remarks>
/// Thread-safe. Many volumes and engines share one cache and its memory limit. Dispose does not wait for leases: they stay
/// readable, and the last one returns the memory.
/// </remarks>
/// <example>
/// <code>
/// using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 256 &lt;&lt; 20 });
/// using var volume = cache.AttachVolume(device);
/// using var file = volume.OpenFile(extents, length);
/// using var clone = file.Clone();
/// int count = clone.Read(0, buffer);
/// </code>
/// </example>
[DebuggerDisplay("{Options.Name,nq}: {GetStatistics().ResidentBytes} of {Options.CapacityBytes} bytes resident")]
public sealed class PageCache : IDisposable, IAsyncDisposable
{
    /// <summary>
    /// The meter that tells the figures of <see cref="PageCacheStatistics"/> to metrics systems, for all caches of the process that are not
    /// disposed. The tag <c>sharedpagecache.name</c> is <see cref="PageCacheOptions.Name"/>; caches of one name are added up.
    /// </summary>
    public const string MeterName = PageCacheMeter.Name;

    private readonly PageCacheOptions _options;
    private readonly CacheEngine _engine;
    private int _disposed;

    /// <summary>Makes a cache and reserves its memory.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException">No options.</exception>
    /// <exception cref="ArgumentException">An option is out of range; the message says what would be right.</exception>
    /// <exception cref="OutOfMemoryException">The system does not give <see cref="PageCacheOptions.CapacityBytes"/>.</exception>
    public PageCache(PageCacheOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options.Copy();
        _engine = new CacheEngine(_options);
        PageCacheMeter.Add(_engine);
    }

    /// <summary>The options that the cache was made with; a copy.</summary>
    public PageCacheOptions Options => _options.Copy();

    internal CacheEngine Engine => _engine;

    /// <summary>Attaches a device as a volume.</summary>
    /// <param name="device">The device. It is not disposed by the cache.</param>
    /// <param name="options">Identity and name; default a fresh identity.</param>
    /// <returns>The volume, which the caller disposes.</returns>
    /// <exception cref="ArgumentNullException">No device.</exception>
    /// <exception cref="ArgumentException">
    /// The volume's id is attached already, the device's block size is not a power of two from 512 to 65,536, or it is
    /// larger than the page size and the volume has a write-back port.
    /// </exception>
    /// <exception cref="CacheCapacityException">Too many volumes are attached.</exception>
    /// <exception cref="ObjectDisposedException">The cache is disposed.</exception>
    public CachedVolume AttachVolume(IBlockDevice device, VolumeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        ObjectDisposedException.ThrowIf(Atomic.LoadAcquire(ref _disposed) != 0, this);
        var block = device.BlockSize;
        if (block is < PageCacheOptions.MinPageSize or > PageCacheOptions.MaxPageSize || !BitOperations.IsPow2(block))
        {
            throw new ArgumentException(
                $"A device's block size must be a power of two from {PageCacheOptions.MinPageSize} to {PageCacheOptions.MaxPageSize}; {block} is not.",
                nameof(device));
        }

        options ??= new VolumeOptions();
        if (options.Placement is not null && block > _options.PageSize)
        {
            throw new ArgumentException(
                $"A volume that is written needs blocks no larger than a page: {block} > {_options.PageSize}.", nameof(device));
        }

        var (id, name) = (options.Id, options.Name ?? options.Id.ToString());
        var rooms = _engine.Rooms;
        var map = rooms.Volumes.Add(
            id, number => new VolumeMap(
                number, id, name, device, rooms.PageShift, rooms.Families, rooms.Ledger, rooms.Dirty, options.Placement, options.Seal));
        _engine.AddWriter(map);
        return new CachedVolume(_engine, map);
    }

    /// <summary>Makes everything durable that was written to any volume before the call.</summary>
    /// <param name="cancellationToken">Cancels the wait; pages under way are written to the end.</param>
    /// <exception cref="CacheWritebackException">Something could not be made durable; all volumes were tried.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask FlushAsync(CancellationToken cancellationToken = default)
    {
        EngineCode.ThrowIfInCallback();
        CacheWritebackException? first = null;
        foreach (var volume in _engine.Rooms.Volumes.All())
        {
            try
            {
                await CacheEngine.FlushAsync(volume, cancellationToken).ConfigureAwait(false);
            }
            catch (CacheWritebackException error)
            {
                first ??= error;
            }
            catch (ObjectDisposedException) when (volume.IsDetached)
            {
                // Somebody has taken the volume away meanwhile, with what was dirty in it.
            }
        }

        if (first is not null)
        {
            throw first;
        }
    }

    /// <summary>The cache's figures at this moment. Constant time.</summary>
    public PageCacheStatistics GetStatistics() => _engine.Statistics();

    /// <summary>
    /// Checks all invariants: that forward and reverse map agree, that each block is held once, that all counts are what
    /// a recount gives; in checked mode, that no memory was overwritten. May run while the cache is used. Costs in proportion
    /// to what the cache holds.
    /// </summary>
    /// <exception cref="CacheCorruptionException">An invariant is broken.</exception>
    public void Verify()
    {
        var violations = _engine.Verifier.Run();
        if (violations.Count > 0)
        {
            throw new CacheCorruptionException(violations);
        }
    }

    /// <summary>The leases that have not ended, oldest first; none if checked mode is off.</summary>
    public IReadOnlyList<PageHolder> GetHolders() =>
        _engine.Rooms.Checked is { } checks ? checks.Holders.All().ConvertAll(static holder => holder.ForUsers()) : [];

    /// <summary>The state of the cache in words, for people. In checked mode with all leases and the stacks that took them.</summary>
    public string Dump()
    {
        var figures = GetStatistics();
        var text = new StringBuilder();
        text.AppendLine($"Cache '{_options.Name}': {figures.FrameCount} frames of {figures.PageSize} bytes, policy {_options.Policy}");
        text.AppendLine($"  {figures}");
        foreach (var volume in _engine.Rooms.Volumes.All().Where(static volume => !volume.IsDetached))
        {
            text.AppendLine($"Volume '{volume.Name}': {volume.OpenFiles} open files, block size {volume.BlockSize}, device of {volume.Device.Length} bytes");
        }

        if (_engine.Rooms.Checked is { } checks)
        {
            text.AppendLine($"Checked mode: {checks.Quarantine.Count} frames in quarantine, {checks.Reports.Count} misuses found");
            foreach (var holder in GetHolders())
            {
                text.AppendLine($"  {holder}").AppendLine(holder.TakenAt);
            }
        }

        return text.ToString();
    }

    /// <summary>
    /// Disposes the cache: files and volumes are of no more use, memory that no lease holds returns to the system. What is
    /// dirty is lost; <see cref="DisposeAsync"/> writes it back first.
    /// </summary>
    public void Dispose()
    {
        EngineCode.ThrowIfInCallback();
        if (Atomic.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        PageCacheMeter.Remove(_engine);
        var rooms = _engine.Rooms;
        foreach (var volume in rooms.Volumes.All())
        {
            _engine.Detach(volume);
        }

        rooms.Pool.Close();
    }

    /// <summary>Writes back what is dirty, then disposes the cache.</summary>
    /// <exception cref="CacheWritebackException">
    /// Something could not be made durable. The cache is not disposed: <see cref="DisposeAsync"/> may be called again, and
    /// <see cref="Dispose"/> gives up what is dirty.
    /// </exception>
    public async ValueTask DisposeAsync()
    {
        EngineCode.ThrowIfInCallback();
        if (Atomic.LoadAcquire(ref _disposed) == 0)
        {
            await FlushAsync().ConfigureAwait(false);
        }

        Dispose();
    }
}
