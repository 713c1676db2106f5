using System.Diagnostics;
using SharedPageCache.TestKit.Devices;

namespace SharedPageCache.TestKit.Logging;

/// <summary>
/// A device of pages that looks at each page before it is written: its log record must be durable. A page that is not yet
/// allowed is refused, and noted.
/// </summary>
/// <param name="inner">The device behind it.</param>
/// <param name="pageSize">The page size in bytes.</param>
/// <param name="durable">Asks for the newest record that would survive a crash now.</param>
[DebuggerDisplay("{PagesChecked} pages checked, {Violations} refused")]
public sealed class LogRuleDevice(IBlockDevice inner, int pageSize, Func<Task<Lsn>> durable) : DeviceWrapper(inner)
{
    private long _pagesChecked;
    private long _violations;

    /// <summary>Pages with a log number that were looked at.</summary>
    public long PagesChecked => Interlocked.Read(ref _pagesChecked);

    /// <summary>Pages that came before their record.</summary>
    public long Violations => Interlocked.Read(ref _violations);

    /// <inheritdoc/>
    public override async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        var survives = await durable().ConfigureAwait(false);
        foreach (var buffer in buffers)
        {
            for (var at = 0; at < buffer.Length; at += pageSize)
            {
                var lsn = LoggedEngine.LsnOf(buffer.Span[at..]);
                if (lsn != Lsn.None)
                {
                    Interlocked.Increment(ref _pagesChecked);
                }

                if (lsn > survives)
                {
                    Interlocked.Increment(ref _violations);
                    throw new InvalidOperationException($"A page with record {lsn} is written to {run}, and the log is durable up to {survives}.");
                }
            }
        }

        return await Inner.WriteAsync(run, origin, buffers, cancellationToken).ConfigureAwait(false);
    }
}
