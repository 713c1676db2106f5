using System.Diagnostics;
using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache;

/// <summary>A volume as the cache sees it: one address space of blocks, on one device, with the files that lie on it.</summary>
/// <remarks>
/// Thread-safe. <see cref="Discard"/> and <see cref="Relocate"/> take no gate and do no I/O, so an engine may call them
/// under any lock of its own. Dispose detaches the volume; files that are
/// still open are of no more use.
/// </remarks>
[DebuggerDisplay("{Name,nq}, {OpenFiles} open files")]
public sealed partial class CachedVolume : IDisposable, IAsyncDisposable
{
    internal const long LongestFile = 1L << 56;

    private readonly CacheEngine _engine;
    private readonly VolumeMap _map;

    internal CachedVolume(CacheEngine engine, VolumeMap map)
    {
        _engine = engine;
        _map = map;
    }

    /// <summary>The identity of the volume's blocks.</summary>
    public VolumeId Id => _map.Id;

    /// <summary>The name given at attach, or the id in words.</summary>
    public string Name => _map.Name;

    /// <summary>The page size of the cache that the volume is attached to, in bytes.</summary>
    public int PageSize => _map.PageSize;

    /// <summary>The device.</summary>
    public IBlockDevice Device => _map.Device;

    /// <summary>How many files of the volume are open; handles on one file count once.</summary>
    public int OpenFiles => _map.OpenFiles;

    /// <summary>Opens a file. Constant time, no I/O: extents are asked for when pages are first used.</summary>
    /// <param name="extents">The engine's object for the file.</param>
    /// <param name="length">The file's length in bytes, 0 or more.</param>
    /// <param name="options">Identity, name, domain, and whether it is sealed; default an anonymous file in the default domain.</param>
    /// <returns>A handle, which the caller disposes.</returns>
    /// <exception cref="ArgumentNullException">No extents.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative or absurd.</exception>
    /// <exception cref="ArgumentException">The id is open already with another length or domain.</exception>
    /// <exception cref="CacheCapacityException">Metadata has used up the memory limit.</exception>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public MappedFile OpenFile(IExtentMap extents, long length, FileOpenOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(extents);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, LongestFile);
        ThrowIfDetached();
        _engine.ThrowIfMetadataFull();
        var terms = FileOpenOptions.TermsOf(options, domain: default);
        if (terms.IsSealed && !terms.Id.IsNone)
        {
            // It may be open, and then it is sealed inside its gate.
            EngineCode.ThrowIfInCallback();
        }

        var mapping = _map.Open(extents, length, terms);
        if (terms.IsSealed && !mapping.IsSealed)
        {
            mapping.Seal();
        }

        return new MappedFile(this, _engine, mapping);
    }

    /// <summary>
    /// Blocks were freed (or overwritten by somebody else): what is cached of them is dropped. No read that begins after
    /// this returns sees the old content; leases taken before stay readable; a load under way does not publish.
    /// </summary>
    /// <param name="run">The blocks, as bytes of the device.</param>
    /// <exception cref="ArgumentException">The run is negative, empty, unaligned or overflows.</exception>
    /// <exception cref="InvalidOperationException">A write-back that is under way was given blocks of the run.</exception>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public void Discard(BlockRun run)
    {
        Check(run, nameof(run));
        ThrowIfDetached();
        if (_map.Placed.IsPlaced(run))
        {
            throw BeingWritten(run);
        }

        _engine.Invalidation.Discard(_map, run);
    }

    /// <summary>
    /// The content of blocks was copied to other blocks, to which extents will point from now on: cached pages follow
    /// without being read again, leases stay valid. Call it after the data was copied and before the extents change; then
    /// discard the old run.
    /// </summary>
    /// <param name="from">The blocks that held the content.</param>
    /// <param name="to">The blocks that hold it now, of equal length.</param>
    /// <param name="fromGeneration">
    /// The engine's generation of the content that moved; 0 if it has none. Pages of other generations of the old blocks
    /// are dropped.
    /// </param>
    /// <param name="toGeneration">The engine's generation of the new blocks; 0 if it has none.</param>
    /// <exception cref="ArgumentException">
    /// A run is negative, empty, unaligned or overflows, or the runs differ in length or overlap.
    /// </exception>
    /// <exception cref="InvalidOperationException">A write-back that is under way was given blocks of a run, or they are being written directly.</exception>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public void Relocate(BlockRun from, BlockRun to, uint fromGeneration = 0, uint toGeneration = 0)
    {
        Check(from, nameof(from));
        Check(to, nameof(to));
        if (from.Length != to.Length || from.Overlaps(to))
        {
            throw new ArgumentException($"The runs {from} and {to} must be of equal length and must not overlap.", nameof(to));
        }

        ThrowIfDetached();
        if (_map.Placed.Overlaps(from) || _map.Placed.Overlaps(to))
        {
            throw BeingWritten(_map.Placed.Overlaps(from) ? from : to);
        }

        _engine.Invalidation.Relocate(_map, from, to, fromGeneration, toGeneration);
    }

    /// <summary>
    /// The reverse query, for the operator: every place of every open file that shows blocks of a run, resident or not, as far as the
    /// cache has mapped the files' windows (a window is mapped when one of its pages is first used by the file or by a
    /// relative).
    /// </summary>
    /// <remarks>
    /// A page in memory is named by the block that it shows now, also when <see cref="Relocate"/> has moved it and its file
    /// was not asked for extents since. A page that is not in memory is named by what the engine once answered, and is left
    /// out when one of its blocks was discarded or relocated since then, until the file is asked again by a read of that
    /// page. The engine is not asked by the query.
    /// </remarks>
    /// <param name="run">The blocks, as bytes of the device.</param>
    /// <returns>
    /// The places, streamed, one for each page; each is what was true when it was looked at. The query costs in
    /// proportion to its answers, not to the files.
    /// </returns>
    /// <exception cref="ArgumentException">The run is negative, empty, unaligned or overflows.</exception>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public IEnumerable<PageLocation> FindReferences(BlockRun run)
    {
        Check(run, nameof(run));
        ThrowIfDetached();
        return _engine.Query.Find(_map, run).Select(LocationOf);
    }

    /// <summary>Makes everything durable that was written to files of the volume before the call.</summary>
    /// <param name="cancellationToken">Cancels the wait; pages under way are written to the end.</param>
    /// <exception cref="CacheWritebackException">Something could not be made durable; it stays dirty.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The volume is detached, or was before all was durable.</exception>
    public ValueTask FlushAsync(CancellationToken cancellationToken = default)
    {
        EngineCode.ThrowIfInCallback();
        ThrowIfDetached();
        return CacheEngine.FlushAsync(_map, cancellationToken);
    }

    /// <summary>Writes back what is dirty, then detaches the volume.</summary>
    /// <exception cref="CacheWritebackException">Something could not be made durable; the volume stays attached.</exception>
    public async ValueTask DisposeAsync()
    {
        EngineCode.ThrowIfInCallback();
        try
        {
            if (!_map.IsDetached)
            {
                await CacheEngine.FlushAsync(_map, CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (ObjectDisposedException) when (_map.IsDetached)
        {
            // Another one has detached it meanwhile.
        }

        Dispose();
    }

    /// <summary>
    /// Detaches the volume and drops what is cached of it. Files that are still open are of no more use; leases stay
    /// readable. The device is not disposed. What is dirty is lost; <see cref="DisposeAsync"/> writes it back first.
    /// </summary>
    public void Dispose()
    {
        EngineCode.ThrowIfInCallback();
        // The number comes free last: nobody is attached under it while frames still bear it.
        if (_engine.Detach(_map))
        {
            Disown();
            _engine.Rooms.Volumes.Remove(_map);
        }
    }

    private void Check(BlockRun run, string name)
    {
        var unaligned = ((run.Offset | run.Length) & (_map.BlockSize - 1)) != 0;
        if (run.Offset < 0 || run.Length <= 0 || run.Offset > long.MaxValue - run.Length || unaligned)
        {
            throw new ArgumentException(
                $"The run at {run.Offset} of {run.Length} bytes must not be negative or empty, must not overflow, and must be aligned to the block size {_map.BlockSize}.",
                name);
        }
    }

    private static InvalidOperationException BeingWritten(BlockRun run) => new(
        $"The blocks {run} were placed for a write-back that is under way (they are the cache's until they are published or abandoned), or are being written directly.");

    private void ThrowIfDetached() =>
        ObjectDisposedException.ThrowIf(_map.IsDetached, this);
}
