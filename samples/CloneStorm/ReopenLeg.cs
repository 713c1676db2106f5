using System.Diagnostics;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>Opens the volume anew, with an empty cache, and compares every byte of every file with what it should be.</summary>
internal static class ReopenLeg
{
    /// <summary>Runs the leg.</summary>
    /// <param name="image">What the files are clones of.</param>
    /// <param name="files">Every file that there must be, and what was written to it.</param>
    /// <param name="capacityBytes">The memory of the cache.</param>
    /// <param name="progress">Shows how far it is.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    public static ReopenFigures Run(
        GoldenImage image,
        IReadOnlyList<WrittenFile> files,
        long capacityBytes,
        StormProgress progress,
        CancellationToken cancellationToken)
    {
        using StormVolume volume = image.OpenVolume(capacityBytes);
        IEnumerable<string> found = volume.Cow.Files.Select(entry => entry.Name);
        bool hasAllFiles = found.ToHashSet().SetEquals(files.Select(file => file.Name));

        ProgressStep step = progress.BeginBytes("Opened again: reading every file", image.Length * files.Count);
        var everyCore = new ParallelOptions
        {
            MaxDegreeOfParallelism = Environment.ProcessorCount,
            CancellationToken = cancellationToken,
        };
        long rightBytes = 0;
        long start = Stopwatch.GetTimestamp();
        using (MappedFile golden = volume.OpenFile(GoldenImage.Name))
        {
            Parallel.ForEach(
                files,
                everyCore,
                () => new VerifyingReader(image, golden),
                (file, _, reader) =>
                {
                    using MappedFile mapped = volume.OpenFile(file.Name);
                    if (mapped.Length == image.Length)
                        Interlocked.Add(ref rightBytes, reader.ReadAll(mapped, file.Writes, step, cancellationToken));
                    return reader;
                },
                _ => { });
        }

        TimeSpan readTime = Stopwatch.GetElapsedTime(start);
        volume.Cache.Verify();
        return new ReopenFigures(
            files.Count,
            image.Length * files.Count,
            volume.Cow.GetStatistics().ContentBlocks * volume.Cow.BlockSize,
            rightBytes,
            hasAllFiles,
            volume.Cow.Check().IsClean,
            readTime);
    }
}
