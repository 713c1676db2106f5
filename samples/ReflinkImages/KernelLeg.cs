using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using SharedPageCache.Reflink;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>Reads all reflinks as any program would, and counts what the kernel's page cache keeps of them.</summary>
/// <param name="CachedBytes">What the kernel's cache grew by.</param>
/// <param name="Verified">Whether every byte was right.</param>
/// <param name="Time">How long it took.</param>
internal sealed record KernelLeg(long CachedBytes, bool Verified, TimeSpan Time)
{
    /// <summary>Reads all reflinks, then lets the kernel forget them.</summary>
    public static KernelLeg Run(ReflinkSet set, ExperimentProgress progress, CancellationToken cancellationToken)
    {
        Action<long> advance = progress.BeginBytes("Plain reads", set.ImageBytes * set.Reflinks.Count);
        Forget(set);
        long before = CountCached(set);
        long start = Stopwatch.GetTimestamp();
        int wrong = 0;
        Parallel.ForEach(
            set.Reflinks,
            new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount },
            path =>
            {
                if (!Hash(path, advance, cancellationToken).AsSpan().SequenceEqual(set.Sha256))
                    Interlocked.Increment(ref wrong);
            });
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        long cached = CountCached(set) - before;
        Forget(set);
        return new KernelLeg(cached, wrong == 0, time);
    }

    /// <summary>Bytes of the image and its reflinks that the kernel's page cache holds, file by file (cachestat).</summary>
    public static long CountCached(ReflinkSet set) =>
        KernelPageCache.GetCachedBytes(set.Image) + set.Reflinks.Sum(KernelPageCache.GetCachedBytes);

    private static void Forget(ReflinkSet set)
    {
        KernelPageCache.Drop(set.Image);
        foreach (string path in set.Reflinks)
            KernelPageCache.Drop(path);
    }

    private static byte[] Hash(string path, Action<long> advance, CancellationToken cancellationToken)
    {
        using SafeFileHandle file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        for (long offset = 0; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int read = RandomAccess.Read(file, buffer, offset);
            if (read == 0)
                return hash.GetHashAndReset();
            hash.AppendData(buffer, 0, read);
            offset += read;
            advance(read);
        }
    }
}
