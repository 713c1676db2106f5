using System.Buffers;
using System.Diagnostics;

namespace SharedPageCache;

/// <summary>A file whose extents never change, as a list: the simplest engine that there is.</summary>
/// <remarks>
/// <para>
/// Immutable, and so thread-safe. For files that are only read: disk images, sealed tables, tests. An engine whose files
/// change implements <see cref="IExtentMap"/> itself.
/// </para>
/// <para>
/// Asking costs a binary search and a copy of the extents in the range. Cloning costs nothing: a clone is the same list.
/// What depends on a device (alignment to its blocks, its end) is checked by the cache when the extents are used.
/// </para>
/// </remarks>
[DebuggerDisplay("{Count} extents, {End} bytes")]
public sealed class ExtentList : ICloneableExtentMap
{
    private readonly Extent[] _extents;

    /// <summary>Makes a list.</summary>
    /// <param name="extents">
    /// The extents in ascending file order, without overlap; copied. What lies between them reads zero.
    /// </param>
    /// <exception cref="ArgumentException">
    /// An extent is negative, empty, overflows, or begins before the end of the one before it.
    /// </exception>
    public ExtentList(params ReadOnlySpan<Extent> extents)
    {
        var covered = 0L;
        for (var i = 0; i < extents.Length; i++)
        {
            if (FaultOf(extents[i], covered) is { } fault)
            {
                throw new ArgumentException($"Extent {i} {fault}", nameof(extents));
            }

            covered = extents[i].FileEnd;
        }

        _extents = extents.ToArray();
    }

    /// <summary>How many extents the list has.</summary>
    public int Count => _extents.Length;

    /// <summary>The first byte after the last extent: the usual length of the file; 0 if there is no extent.</summary>
    public long End => _extents.Length == 0 ? 0 : _extents[^1].FileEnd;

    /// <summary>The extents, in order.</summary>
    public ReadOnlySpan<Extent> Extents => _extents;

    /// <summary>A constant: the extents never change.</summary>
    public long Sequence => 0;

    /// <inheritdoc/>
    /// <exception cref="ArgumentNullException">No destination.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative, or the length is not positive.</exception>
    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        var first = FirstEndingAfter(offset);
        var next = first;
        while (next < _extents.Length && _extents[next].FileOffset - offset < length)
        {
            next++;
        }

        destination.Write(_extents.AsSpan(first, next - first));
        return ValueTask.CompletedTask;
    }

    /// <summary>The same list: what never changes may be shared.</summary>
    public IExtentMap Clone() => this;

    private static string? FaultOf(Extent extent, long covered)
    {
        var (offset, length, physical) = (extent.FileOffset, extent.Length, extent.PhysicalOffset);
        if (offset < 0 || length <= 0 || offset > long.MaxValue - length)
        {
            return $"at file offset {offset} with length {length} is negative, empty or overflows.";
        }

        if (offset < covered)
        {
            return $"begins at {offset}, before the end {covered} of the one before: extents must ascend without overlap.";
        }

        return !extent.ReadsZero && !extent.IsOpaque && (physical < 0 || physical > long.MaxValue - length)
            ? $"has the physical offset {physical}, which is negative or overflows with length {length}."
            : null;
    }

    private int FirstEndingAfter(long offset)
    {
        var (low, high) = (0, _extents.Length);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            if (_extents[middle].FileEnd <= offset)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
