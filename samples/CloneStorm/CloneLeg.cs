using System.Diagnostics;
using System.Security.Cryptography;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>The storm itself: opens the clones, reads all of each on all cores, compares every byte.</summary>
internal static class CloneLeg
{
    /// <summary>Runs the leg.</summary>
    /// <param name="image">The image.</param>
    /// <param name="options">How many clones and how much memory.</param>
    /// <param name="progress">Shows how far it is.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    public static CloneFigures Run(
        GoldenImage image, StormOptions options, StormProgress progress, CancellationToken cancellationToken)
    {
        using MeteredDevice device = image.OpenDevice();
        using var cache = new PageCache(new PageCacheOptions
        {
            CapacityBytes = options.CapacityBytes ?? RoomFor(image),
            PageSize = options.PageSize,
        });
        using CachedVolume volume = cache.AttachVolume(device);
        using ImageClones clones = ImageClones.Open(
            volume, image, options.Clones, progress.Begin($"Opening {options.Clones} clones", options.Clones));

        long start = Stopwatch.GetTimestamp();
        long rightBytes = ReadAll(clones.Files, image, progress, cancellationToken);
        TimeSpan readTime = Stopwatch.GetElapsedTime(start);
        bool wholeMatches = Sha256Of(clones.Deepest, progress) == image.Fingerprint.Sha256;
        PageCacheStatistics statistics = cache.GetStatistics();
        long deviceBlocksRead = device.BytesRead / options.PageSize;

        CloneCost cost = CloneCost.Measure(
            clones.Deepest, progress.Begin("Timing Clone()", CloneCost.PlannedSamples), cancellationToken);
        cache.Verify();

        return new CloneFigures
        {
            LogicalBytes = image.Length * options.Clones,
            DistinctBlocks = image.Length / options.PageSize,
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

    /// <summary>A capacity, metadata included, that holds one image and has some room to breathe.</summary>
    /// <param name="image">The image.</param>
    public static long RoomFor(GoldenImage image) => image.Length + (image.Length / 8) + (16L << 20);

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
