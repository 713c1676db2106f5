using System.Buffers;
using SharedPageCache.Cow;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>Which run of the volume holds which run of the image, asked of the engine once.</summary>
internal sealed class ImageExtents
{
    private readonly Extent[] _runs; // ascending in the file, without gaps

    private ImageExtents(IExtentMap file, Extent[] runs)
    {
        File = file;
        _runs = runs;
    }

    /// <summary>The engine's own object for the image: for whom its blocks are read.</summary>
    public IExtentMap File { get; }

    /// <summary>The number of runs.</summary>
    public int Count => _runs.Length;

    /// <summary>Asks the engine where a file lies.</summary>
    /// <param name="file">The file, without holes.</param>
    public static ImageExtents Of(CowFile file)
    {
        var runs = new ArrayBufferWriter<Extent>();
        ValueTask answer = file.GetExtentsAsync(0, file.Length, runs, CancellationToken.None);
        answer.AsTask().GetAwaiter().GetResult();
        return new ImageExtents(file, runs.WrittenSpan.ToArray());
    }

    /// <summary>The run that holds one byte of the image.</summary>
    /// <param name="offset">The byte of the image, less than its length.</param>
    public Extent RunAt(long offset)
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

        return _runs[low];
    }
}
