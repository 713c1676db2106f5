using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using SharedPageCache.Reflink;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>Writes to some of the reflinks, clones them while they are dirty, and reads all of it with plain reads.</summary>
/// <param name="Files">How many files were written, clones included.</param>
/// <param name="PagesWritten">Pages that went to the disk.</param>
/// <param name="ReadAgain">Pages of the written files that had to be read once more to be looked at afterwards.</param>
/// <param name="Verified">Whether a plain reader found in each file what was written to it, and nothing else.</param>
/// <param name="Time">How long writing, cloning and flushing took.</param>
internal sealed record WriteLeg(int Files, long PagesWritten, long ReadAgain, bool Verified, TimeSpan Time)
{
    private const int MostFiles = 50;
    private const int PagesEach = 16;
    private const int Page = 4096;

    /// <summary>Writes, clones, flushes, and compares.</summary>
    /// <param name="set">The reflinks. They are no reflinks of the image any more afterwards.</param>
    /// <param name="progress">Where to show progress.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    /// <exception cref="IOException">The file system failed.</exception>
    public static async Task<WriteLeg> RunAsync(ReflinkSet set, ExperimentProgress progress, CancellationToken cancellationToken)
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 128 << 20 });
        await using var store = new ReflinkStore(cache, new ReflinkStoreOptions { AllowWriting = true });
        var written = new List<(ReflinkedFile File, int Seed, bool IsClone)>();
        Action<long> advance = progress.Begin("Writing to reflinks, and cloning them dirty", Math.Min(MostFiles, set.Reflinks.Count));
        long start = Stopwatch.GetTimestamp();
        foreach ((int seed, string path) in set.Reflinks.Take(MostFiles).Index())
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReflinkedFile file = store.OpenForWriting(path);
            foreach (long offset in OffsetsOf(seed, set.ImageBytes))
                file.File.Write(offset, Content(seed, offset));
            written.Add((file, seed, IsClone: false));
            if (seed % 2 == 0)
            {
                // The clone has what was written so far; what it writes itself is its own.
                ReflinkedFile clone = await file.CloneAsync(path + ".clone", cancellationToken);
                clone.File.Write(0, Content(-1, 0));
                written.Add((clone, seed, IsClone: true));
            }

            advance(1);
        }

        await written[0].File.File.Volume.FlushAsync(cancellationToken);
        TimeSpan time = Stopwatch.GetElapsedTime(start);

        PageCacheStatistics figures = cache.GetStatistics();
        bool isRight = true;
        Action<long> compare = progress.BeginBytes("Plain reads of what was written", set.ImageBytes * written.Count);
        foreach ((ReflinkedFile file, int seed, bool isClone) in written)
        {
            var changes = OffsetsOf(seed, set.ImageBytes).ToDictionary(static offset => offset, offset => Content(seed, offset));
            if (isClone)
                changes[0] = Content(-1, 0);
            isRight &= IsAsExpected(set.Image, file.Path, changes, compare, cancellationToken) && AreCached(file, changes);
        }

        return new WriteLeg(
            written.Count, figures.PagesWritten, cache.GetStatistics().DevicePagesRead - figures.DevicePagesRead, isRight, time);
    }

    /// <summary>Pages spread over the image, others for each seed.</summary>
    private static IEnumerable<long> OffsetsOf(int seed, long imageBytes)
    {
        long pages = Math.Max(1, imageBytes / Page);
        return Enumerable.Range(0, PagesEach).Select(i => (1 + seed + (i * 7919L)) % pages * Page).Distinct();
    }

    private static byte[] Content(int seed, long offset)
    {
        var bytes = new byte[Page];
        new Random(HashCode(seed, offset)).NextBytes(bytes);
        return bytes;

        static int HashCode(int seed, long offset) => unchecked((seed * 486_187_739) + (int)(offset / Page));
    }

    /// <summary>Compares a file with the image and the changes, both read without the cache.</summary>
    private static bool IsAsExpected(
        string image, string path, Dictionary<long, byte[]> changes, Action<long> advance, CancellationToken cancellationToken)
    {
        using SafeFileHandle expected = File.OpenHandle(image);
        using SafeFileHandle actual = File.OpenHandle(path, share: FileShare.ReadWrite);
        var (left, right) = (new byte[64 * Page], new byte[64 * Page]);
        for (long offset = 0; ; offset += left.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = RandomAccess.Read(expected, left, offset);
            if (RandomAccess.Read(actual, right, offset) != count)
                return false;
            if (count == 0)
                return true;
            foreach ((long at, byte[] bytes) in changes.Where(change => change.Key >= offset && change.Key < offset + count))
                bytes.AsSpan(0, (int)Math.Min(Page, offset + count - at)).CopyTo(left.AsSpan((int)(at - offset)));
            if (!left.AsSpan(0, count).SequenceEqual(right.AsSpan(0, count)))
                return false;
            advance(count);
        }
    }

    private static bool AreCached(ReflinkedFile file, Dictionary<long, byte[]> changes)
    {
        var page = new byte[Page];
        foreach ((long offset, byte[] bytes) in changes)
        {
            int count = file.File.Read(offset, page);
            if (!page.AsSpan(0, count).SequenceEqual(bytes.AsSpan(0, count)))
                return false;
        }

        return true;
    }
}
