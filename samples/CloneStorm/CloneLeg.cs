using System.Diagnostics;
using System.Security.Cryptography;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>The storm itself: reads all of each clone on all cores, compares every byte.</summary>
internal static class CloneLeg
{
    private const long TablesOfClone = 64 << 10;

    /// <summary>Runs the leg.</summary>
    /// <param name="volume">The volume, of which nothing has been read.</param>
    /// <param name="clones">Its clones of the image.</param>
    /// <param name="image">The image.</param>
    /// <param name="progress">Shows how far it is.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    public static CloneFigures Run(
        StormVolume volume,
        ImageClones clones,
        GoldenImage image,
        StormProgress progress,
        CancellationToken cancellationToken)
    {
        PageCache cache = volume.Cache;
        long start = Stopwatch.GetTimestamp();
        long rightBytes = ReadAll(clones.Files, image, progress, cancellationToken);
        TimeSpan readTime = Stopwatch.GetElapsedTime(start);
        bool wholeMatches = Sha256Of(clones.Deepest, progress) == image.Fingerprint.Sha256;
        PageCacheStatistics statistics = cache.GetStatistics();
        long deviceBlocksRead = volume.Device.BytesRead / statistics.PageSize;

        CloneCost cost = CloneCost.Measure(
            clones.Deepest, progress.Begin("Timing Clone()", CloneCost.PlannedSamples), cancellationToken);
        cache.Verify();

        return new CloneFigures
        {
            LogicalBytes = image.Length * clones.Files.Count,
            DistinctBlocks = image.Length / statistics.PageSize,
            CapacityBytes = statistics.CapacityBytes,
            ResidentBytes = statistics.ResidentBytes,
            MetadataBytes = statistics.MetadataBytes,
            SavedBytes = statistics.SavedBytes,
            DeviceBlocksRead = deviceBlocksRead,
            CloneCost = cost,
            CloneDepth = clones.Depth,
            RightBytes = rightBytes,
            WholeMatches = wholeMatches,
            ReadTime = readTime,
        };
    }

    /// <summary>
    /// A capacity, metadata included, that holds one image and has some room to breathe; more for very many clones, for
    /// each needs page tables of its own where it has written.
    /// </summary>
    /// <param name="image">The image.</param>
    /// <param name="clones">The number of clones.</param>
    public static long RoomFor(GoldenImage image, int clones) =>
        image.Length + (image.Length / 8) + (16L << 20) + (Math.Max(0, clones - 200) * TablesOfClone);

    private static long ReadAll(
        IReadOnlyList<MappedFile> clones,
        GoldenImage image,
        StormProgress progress,
        CancellationToken cancellationToken)
    {
        var everyCore = new ParallelOptions
        {
            MaxDegreeOfParallelism = Environment.ProcessorCount,
            CancellationToken = cancellationToken,
        };
        ProgressStep step = progress.BeginBytes("Reading every clone in full", image.Length * clones.Count);
        long rightBytes = 0;
        Parallel.For(
            0,
            clones.Count,
            everyCore,
            () => new VerifyingReader(image),
            (i, _, reader) =>
            {
                Interlocked.Add(ref rightBytes, reader.ReadAll(clones[i], step, cancellationToken));
                return reader;
            },
            _ => { });
        return rightBytes;
    }

    private static string Sha256Of(MappedFile clone, StormProgress progress)
    {
        ProgressStep step = progress.BeginBytes("SHA-256 of the deepest clone", clone.Length);
        using Stream stream = clone.OpenStream();
        string hash = Convert.ToHexStringLower(SHA256.HashData(stream));
        step.Advance(clone.Length);
        return hash;
    }
}
