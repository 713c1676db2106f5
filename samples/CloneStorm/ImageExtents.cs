using System.Buffers;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// The extents of the golden image: which run of the volume holds which run of the image. This is all that the cache
/// has to know of an engine's files, and a model for your own.
/// </summary>
/// <remarks>
/// The list never changes, so the sequence is a constant, no call needs a lock, and a clone is a new object over the
/// same list: O(1) in time and bytes however long the list is. An engine whose files change keeps the list in a
/// persistent tree and raises <see cref="Sequence"/> before each change.
/// </remarks>
internal sealed class ImageExtents : ICloneableExtentMap
{
    private readonly Extent[] _runs; // ascending in the file, without gaps

    private ImageExtents(Extent[] runs)
    {
        _runs = runs;
    }

    /// <summary>The number of runs.</summary>
    public int Count => _runs.Length;

    /// <summary>The length of the image in bytes.</summary>
    public long Length => _runs[^1].FileEnd;

    /// <inheritdoc/>
    public long Sequence => 0;

    /// <summary>
    /// Lays files one behind the other into an image, and their blocks in shuffled order onto a volume: neighbours in
    /// the image are strangers on the device, as they are on any disk that has been in use for a while.
    /// </summary>
    /// <param name="lengths">The length of each file in bytes, greater than zero, in the order of the image.</param>
    /// <param name="alignment">The unit in bytes to which each run is rounded up, a power of two.</param>
    /// <param name="firstByte">The first byte of the volume that may be used, a multiple of the alignment.</param>
    public static ImageExtents Scatter(ReadOnlySpan<long> lengths, int alignment, long firstByte)
    {
        int[] order = [.. Enumerable.Range(0, lengths.Length)];
        new Random(Seed: 200).Shuffle(order);

        var places = new long[lengths.Length];
        long nextPlace = firstByte;
        foreach (int file in order)
        {
            places[file] = nextPlace;
            nextPlace += RoundUp(lengths[file], alignment);
        }

        var runs = new Extent[lengths.Length];
        long nextOffset = 0;
        for (int file = 0; file < runs.Length; file++)
        {
            runs[file] = new Extent(nextOffset, RoundUp(lengths[file], alignment), places[file], ExtentFlags.Shared);
            nextOffset = runs[file].FileEnd;
        }

        return new ImageExtents(runs);
    }

    /// <summary>The run of one packed file.</summary>
    /// <param name="file">Zero-based position of the file in the image.</param>
    public Extent RunOf(int file) => _runs[file];

    /// <summary>The run that holds one byte of the image.</summary>
    /// <param name="offset">The byte of the image, less than <see cref="Length"/>.</param>
    public Extent RunAt(long offset) => _runs[IndexOf(offset)];

    /// <inheritdoc/>
    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        int first = IndexOf(offset);
        int end = first;
        while (end < _runs.Length && _runs[end].FileOffset < offset + length)
            end++;

        destination.Write(_runs.AsSpan(first, end - first));
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public IExtentMap Clone() => new ImageExtents(_runs);

    /// <summary>The position of the first run that ends after the offset.</summary>
    private int IndexOf(long offset)
    {
        int low = 0;
        int high = _runs.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_runs[middle].FileEnd <= offset)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private static long RoundUp(long length, int alignment) => (length + alignment - 1) & ~(alignment - 1L);
}
