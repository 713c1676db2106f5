using Microsoft.Win32.SafeHandles;
using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <summary>A file as it was at one moment, to take ranges from: a clone without a name that nobody else knows.</summary>
/// <remarks>
/// <para>
/// <b>A write around the cache without bytes.</b> Pages are shared by <see cref="MappedFile.WriteAroundAsync"/>: no other writer has the page, its range gets a name, nothing
/// is loaded from it, and the file forgets what it had there when it is done. Where that would write bytes to the file the file system is asked to share them instead
/// (<see cref="For"/>), which is known by the flow of control; what it is given as bytes is nothing. The extents are asked for when it is settled,
/// as after any write, and then the pages that are cached of the source are this file's too.
/// </para>
/// <para>
/// So on disk the snapshot stands still, whatever is written to the source meanwhile; and as long as it is open its blocks are shown by somebody.
/// </para>
/// </remarks>
internal sealed class RangeSnapshot : IDisposable
{
    /// <summary>What is shared between two times that the file's extents are asked for and it is made durable.</summary>
    private const int Chunk = 16 << 20;

    private static readonly AsyncLocal<Sharing?> Current = new();

    private readonly MappedFile _mapped;
    private readonly WritableReflinkFile _file;

    private RangeSnapshot(MappedFile mapped)
    {
        _mapped = mapped;
        _file = (WritableReflinkFile)mapped.Extents;
    }

    /// <summary>What this flow of control shares with a file, if it does.</summary>
    public static Sharing? For(WritableReflinkFile file) =>
        Current.Value is { } sharing && sharing.Target == file && sharing.IsUnderWay ? sharing : null;

    /// <summary>Takes a snapshot, all of it on the disk.</summary>
    /// <exception cref="CacheWritebackException">What is dirty could not be written back.</exception>
    /// <exception cref="IOException">The file system failed.</exception>
    public static async ValueTask<RangeSnapshot> TakeAsync(MappedFile source, CancellationToken cancellationToken)
    {
        var snapshot = new RangeSnapshot(await source.CloneAsync(null, cancellationToken).ConfigureAwait(false));
        try
        {
            await snapshot.FlushAsync(cancellationToken).ConfigureAwait(false);
            return snapshot;
        }
        catch
        {
            snapshot.Dispose();
            throw;
        }
    }

    /// <summary>Makes a range of a file what a range of the snapshot is, clipped at its end.</summary>
    /// <returns>How many bytes that are.</returns>
    public async ValueTask<long> CopyToAsync(
        MappedFile file, long sourceOffset, long offset, long length, CancellationToken cancellationToken)
    {
        length = Math.Min(length, _mapped.Length - sourceOffset);
        if (length <= 0)
        {
            return 0;
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, long.MaxValue - length, "destinationOffset");
        var (before, end, done) = (file.Length, offset + length, 0L);
        if (end > before)
        {
            await file.SetLengthAsync(end, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            var pageSize = file.Volume.PageSize;
            var first = (offset + pageSize - 1) & -pageSize;
            var last = end & -pageSize;
            if (((sourceOffset ^ offset) & (pageSize - 1)) != 0 || first >= last)
            {
                (first, last) = (end, end);
            }

            var nothing = new byte[(int)Math.Min(Chunk, last - first)];
            for (var at = first; at < last; at = done)
            {
                var part = nothing.AsMemory(0, (int)Math.Min(nothing.Length, last - at));
                await ShareAsync(file, at, sourceOffset - offset, part, cancellationToken).ConfigureAwait(false);
                done = at + part.Length;
            }

            await CopyAsync(file, offset, Math.Min(first, end), sourceOffset - offset, cancellationToken).ConfigureAwait(false);
            await CopyAsync(file, last, end, sourceOffset - offset, cancellationToken).ConfigureAwait(false);
            return length;
        }
        catch when (end > before && file.Length == end)
        {
            await ShortenAsync(file, Math.Max(before, done)).ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.CloseUnnamed(_mapped);

    /// <summary>
    /// What was written to the source while it was cloned is not in the clone on the disk yet. A failure in the background that the clone has inherited is
    /// told by the source's own flush; it is not what the second attempt says.
    /// </summary>
    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _mapped.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (CacheWritebackException)
        {
            await _mapped.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static async ValueTask ShortenAsync(MappedFile file, long length)
    {
        try
        {
            await file.SetLengthAsync(length).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // Why it was to be shortened is what is told.
        }
    }

    private async ValueTask ShareAsync(
        MappedFile file, long offset, long distance, ReadOnlyMemory<byte> nothing, CancellationToken cancellationToken)
    {
        var sharing = new Sharing(_file, (WritableReflinkFile)file.Extents, distance);
        Current.Value = sharing;
        try
        {
            await file.WriteAroundAsync(offset, nothing, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            sharing.IsUnderWay = false;
            Current.Value = null;
        }
    }

    private async ValueTask CopyAsync(MappedFile file, long offset, long end, long distance, CancellationToken cancellationToken)
    {
        var buffer = new byte[(int)Math.Min(1 << 20, Math.Max(0, end - offset))];
        while (offset < end)
        {
            var part = buffer.AsMemory(0, (int)Math.Min(buffer.Length, end - offset));
            var read = await _mapped.ReadAsync(offset + distance, part, cancellationToken).ConfigureAwait(false);
            await file.WriteAsync(offset, part[..read], cancellationToken: cancellationToken).ConfigureAwait(false);
            offset += read;
        }
    }

    /// <summary>A range that is being shared.</summary>
    /// <param name="source">The snapshot's file.</param>
    /// <param name="target">The file that gets it.</param>
    /// <param name="distance">From an offset in the target to that in the source.</param>
    internal sealed class Sharing(WritableReflinkFile source, WritableReflinkFile target, long distance)
    {
        public WritableReflinkFile Target => target;

        /// <summary>Whether the call goes on: a flow of control that it has begun may outlive it.</summary>
        public bool IsUnderWay { get; set; } = true;

        public void ShareWith(SafeFileHandle file, string path, long offset, long length) =>
            WritableFile.CloneRange(source.OpenHandle, offset + distance, file, offset, length, path);
    }
}
