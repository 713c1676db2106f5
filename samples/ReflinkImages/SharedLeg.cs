using System.Diagnostics;
using System.Security.Cryptography;
using SharedPageCache.Reflink;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>Reads all reflinks through one cache, each opened independently.</summary>
/// <param name="DistinctBytes">What the files occupy on disk, each block once.</param>
/// <param name="ResidentBytes">What the cache holds.</param>
/// <param name="MetadataBytes">What the cache needs beside the pages.</param>
/// <param name="DeviceBytes">What was read from the disk.</param>
/// <param name="KernelBytes">What the kernel's page cache grew by all the same.</param>
/// <param name="Verified">Whether every byte was right.</param>
/// <param name="Time">How long it took.</param>
internal sealed record SharedLeg(
    long DistinctBytes, long ResidentBytes, long MetadataBytes, long DeviceBytes, long KernelBytes, bool Verified, TimeSpan Time)
{
    /// <summary>Opens and reads all reflinks.</summary>
    /// <param name="set">The reflinks.</param>
    /// <param name="disk">The file behind the file system, if the sample made one: it may be cached too.</param>
    /// <param name="progress">Where to show progress.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    /// <exception cref="IOException">A file is no reflink of the image, or a read failed.</exception>
    public static SharedLeg Run(
        ReflinkSet set, string? disk, ExperimentProgress progress, CancellationToken cancellationToken)
    {
        // Room for the image and what the cache needs beside it, so that nothing has to be read twice.
        long capacity = set.ImageBytes + set.ImageBytes / 8 + (64 << 20);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = capacity });
        using var store = new ReflinkStore(cache);
        List<ReflinkedFile> files = OpenAll(set, store, progress, cancellationToken);

        Action<long> advance = progress.BeginBytes("Reads through SharedPageCache", set.ImageBytes * files.Count);
        long before = CountKernel(set, disk);
        long start = Stopwatch.GetTimestamp();
        int wrong = 0;
        Parallel.ForEach(
            files,
            new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount },
            file =>
            {
                if (!Hash(file.File, advance, cancellationToken).AsSpan().SequenceEqual(set.Sha256))
                    Interlocked.Increment(ref wrong);
            });
        TimeSpan time = Stopwatch.GetElapsedTime(start);

        long kernel = CountKernel(set, disk) - before;
        PageCacheStatistics figures = cache.GetStatistics();
        return new SharedLeg(
            PhysicalBytes.CountDistinct(files),
            figures.ResidentBytes,
            figures.MetadataBytes,
            figures.DevicePagesRead * figures.PageSize,
            Math.Max(0, kernel),
            wrong == 0,
            time);
    }

    /// <summary>Opens each reflink by its own path; nothing tells the cache that they belong together.</summary>
    private static List<ReflinkedFile> OpenAll(
        ReflinkSet set, ReflinkStore store, ExperimentProgress progress, CancellationToken cancellationToken)
    {
        Action<long> advance = progress.Begin("Opening and comparing extents", set.Reflinks.Count);
        using ReflinkedFile image = store.Open(set.Image);
        var files = new List<ReflinkedFile>(set.Reflinks.Count);
        foreach (string path in set.Reflinks)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReflinkedFile file = store.Open(path);
            PhysicalBytes.ThrowIfNotShared(image, file);
            files.Add(file);
            advance(1);
        }

        return files;
    }

    private static long CountKernel(ReflinkSet set, string? disk) =>
        KernelLeg.CountCached(set) + (disk is null ? 0 : KernelPageCache.GetCachedBytes(disk));

    private static byte[] Hash(MappedFile file, Action<long> advance, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[256 << 10];
        for (long offset = 0; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int read = file.Read(offset, buffer);
            if (read == 0)
                return hash.GetHashAndReset();
            hash.AppendData(buffer, 0, read);
            offset += read;
            advance(read);
        }
    }
}
