using System.Diagnostics;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// The same clones with memory for half of the image, beside a per-file LRU of the same bytes: the same reads in the
/// same order on one thread, both from a cold start.
/// </summary>
internal static class HalfCapacityLeg
{
    private delegate void ReadClone(int clone, long offset, Span<byte> destination);

    /// <summary>Runs the leg.</summary>
    /// <param name="image">The image.</param>
    /// <param name="options">How many clones, and the page size.</param>
    /// <param name="progress">Shows how far it is.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    public static HalfFigures Run(
        GoldenImage image, StormOptions options, StormProgress progress, CancellationToken cancellationToken)
    {
        long capacity = image.Length / 2;
        CacheFigures shared = RunShared(image, options, capacity, progress, cancellationToken);
        CacheFigures perFile = RunPerFile(image, options, capacity, progress, cancellationToken);
        return new HalfFigures(capacity, shared, perFile);
    }

    private static CacheFigures RunShared(
        GoldenImage image,
        StormOptions options,
        long capacity,
        StormProgress progress,
        CancellationToken cancellationToken)
    {
        using StormVolume volume = image.OpenVolume(capacity);
        ProgressStep opening = progress.Begin("Half memory: opening clones", options.Clones);
        using ImageClones clones = ImageClones.Open(volume, options.Clones, opening);

        ProgressStep reading = progress.BeginBytes(
            "Half memory: shared cache", (long)AccessPattern.Reads * AccessPattern.ReadBytes);
        CacheFigures figures = Drive(
            image,
            options,
            volume.Device,
            (clone, offset, destination) =>
            {
                int read = clones.Files[clone].Read(offset, destination);
                if (read != destination.Length)
                    throw new IOException($"clone {clone} gave {read} of {destination.Length} bytes at {offset}");
            },
            reading,
            cancellationToken);
        volume.Cache.Verify();
        return figures;
    }

    private static CacheFigures RunPerFile(
        GoldenImage image,
        StormOptions options,
        long capacity,
        StormProgress progress,
        CancellationToken cancellationToken)
    {
        using MeteredDevice device = image.OpenDevice();
        var cache = new PerFileLru(device, image.Extents, options.PageSize, capacity);
        ProgressStep reading = progress.BeginBytes(
            "Half memory: per-file LRU", (long)AccessPattern.Reads * AccessPattern.ReadBytes);
        return Drive(image, options, device, cache.Read, reading, cancellationToken);
    }

    /// <summary>Walks the pattern over one cache.</summary>
    private static CacheFigures Drive(
        GoldenImage image,
        StormOptions options,
        MeteredDevice device,
        ReadClone read,
        ProgressStep step,
        CancellationToken cancellationToken)
    {
        var buffer = new byte[AccessPattern.ReadBytes];
        long askedBytes = 0;
        bool verified = true;
        long start = Stopwatch.GetTimestamp();
        foreach ((int clone, long offset) in new AccessPattern(options.Clones, image.Length).Walk())
        {
            cancellationToken.ThrowIfCancellationRequested();
            Span<byte> bytes = buffer.AsSpan(0, (int)Math.Min(buffer.Length, image.Length - offset));
            read(clone, offset, bytes);
            verified &= image.Fingerprint.Matches(offset, bytes);
            askedBytes += bytes.Length;
            step.Advance(AccessPattern.ReadBytes);
        }

        return new CacheFigures(
            askedBytes / options.PageSize,
            device.BytesRead / options.PageSize,
            Stopwatch.GetElapsedTime(start),
            verified);
    }
}
