using System.Diagnostics;
using SharedPageCache.Cow;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// Every clone writes, on all cores; every second one is cloned again while all that is dirty, and both go on writing.
/// Then one flush makes everything durable.
/// </summary>
internal static class WriteLeg
{
    /// <summary>Runs the leg.</summary>
    /// <param name="volume">The volume of the clones.</param>
    /// <param name="clones">The clones, as yet unwritten.</param>
    /// <param name="image">What they are clones of.</param>
    /// <param name="progress">Shows how far it is.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    public static WriteFigures Run(
        StormVolume volume,
        ImageClones clones,
        GoldenImage image,
        StormProgress progress,
        CancellationToken cancellationToken)
    {
        PageCacheStatistics before = volume.Cache.GetStatistics();
        long writtenBefore = volume.Device.BytesWritten;
        int count = clones.Files.Count;
        CloneWrites plan = CloneWrites.For(count, before.FrameCount, before.PageSize, image.Length);
        var files = new List<WrittenFile>[count];
        int whileDirty = 0;

        ProgressStep writing = progress.Begin($"Writing to {count} clones", count);
        long start = Stopwatch.GetTimestamp();
        var everyCore = new ParallelOptions
        {
            MaxDegreeOfParallelism = Environment.ProcessorCount,
            CancellationToken = cancellationToken,
        };
        Parallel.For(0, count, everyCore, i =>
        {
            files[i] = WriteTo(volume, clones.Files[i], i, plan, out bool isCloned);
            if (isCloned && volume.Device.BytesWritten == writtenBefore)
                Interlocked.Increment(ref whileDirty);
            writing.Advance(1);
        });
        TimeSpan writeTime = Stopwatch.GetElapsedTime(start);
        PageCacheStatistics dirty = volume.Cache.GetStatistics();

        ProgressStep flushing = progress.Begin("Flushing the volume", 1);
        start = Stopwatch.GetTimestamp();
        volume.Files.FlushAsync(cancellationToken).AsTask().GetAwaiter().GetResult();
        TimeSpan flushTime = Stopwatch.GetElapsedTime(start);
        flushing.Advance(1);
        volume.Cache.Verify();

        WrittenFile[] all = [new WrittenFile(GoldenImage.Name, []), .. files.SelectMany(each => each)];
        PageCacheStatistics after = volume.Cache.GetStatistics();
        return new WriteFigures
        {
            Writers = count,
            DirtyPages = ((long)plan.Pages * count) + ((all.Length - 1 - count) * CloneWrites.PagesAfterCloning),
            DirtyBytes = dirty.DirtyBytes,
            DeviceBlocksWritten = (volume.Device.BytesWritten - writtenBefore) / before.PageSize,
            CowCopies = dirty.PagesCopied - before.PagesCopied,
            ClonesWhileDirty = whileDirty,
            WriteTime = writeTime,
            FlushTime = flushTime,
            ResidentBytes = after.ResidentBytes,
            MetadataBytes = after.MetadataBytes,
            Files = all,
        };
    }

    /// <summary>Writes to one clone and names it; every second one is cloned in between.</summary>
    /// <returns>The files that have come to the volume by it.</returns>
    private static List<WrittenFile> WriteTo(
        StormVolume volume, MappedFile clone, int number, CloneWrites plan, out bool isCloned)
    {
        string name = $"clone-{number}";
        volume.Cow.Link((CowFile)clone.Extents, name);
        ImageWrite[] writes = plan.Of(number);
        foreach (ImageWrite write in writes)
            Write(clone, write);
        isCloned = number % 2 == 1;
        if (!isCloned)
            return [new WrittenFile(name, writes)];

        // Closed at once: its dirty pages stay, and the flush of the volume takes them.
        using MappedFile second = clone.Clone();
        volume.Cow.Link((CowFile)second.Extents, $"{name}-again");
        Write(clone, plan.OfOrigin(number));
        Write(second, plan.OfSecond(number));
        return
        [
            new WrittenFile(name, [.. writes, plan.OfOrigin(number)]),
            new WrittenFile($"{name}-again", [.. writes, plan.OfSecond(number)]),
        ];
    }

    private static void Write(MappedFile file, ImageWrite write) => file.Write(write.Offset, write.Bytes());
}
