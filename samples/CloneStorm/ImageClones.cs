using SharedPageCache.Cow;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>The clones of one image: half of the image itself, half of some earlier clone.</summary>
internal sealed class ImageClones : IDisposable
{
    private readonly MappedFile[] _files;
    private readonly int[] _depths;

    private ImageClones(int count)
    {
        _files = new MappedFile[count];
        _depths = new int[count];
    }

    /// <summary>The clones.</summary>
    public IReadOnlyList<MappedFile> Files => _files;

    /// <summary>How many clonings lie between the image and the clone that is farthest from it.</summary>
    public int Depth => _depths.Max();

    /// <summary>The clone that is farthest from the image.</summary>
    public MappedFile Deepest => _files[Array.IndexOf(_depths, Depth)];

    /// <summary>Opens the image on a volume and clones it. Nothing is read.</summary>
    /// <param name="volume">The volume of the image.</param>
    /// <param name="count">The number of clones.</param>
    /// <param name="step">Is told of each clone.</param>
    public static ImageClones Open(StormVolume volume, int count, ProgressStep step)
    {
        // A clone stands on its own: the image itself is closed again before the first byte is read.
        using MappedFile golden = volume.OpenFile(GoldenImage.Name);

        var clones = new ImageClones(count);
        var random = new Random(Seed: 1);
        for (int i = 0; i < count; i++)
        {
            int origin = i % 2 == 0 ? -1 : random.Next(i);
            clones._files[i] = origin < 0 ? golden.Clone() : clones._files[origin].Clone();
            clones._depths[i] = origin < 0 ? 1 : clones._depths[origin] + 1;
            step.Advance(1);
        }

        return clones;
    }

    /// <summary>Closes a clone for good: if nobody has named it the engine forgets it too.</summary>
    /// <param name="clone">The clone.</param>
    public static void Close(MappedFile clone)
    {
        clone.Dispose();
        ((CowFile)clone.Extents).Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (MappedFile file in _files)
        {
            if (file is not null)
                Close(file);
        }
    }
}
