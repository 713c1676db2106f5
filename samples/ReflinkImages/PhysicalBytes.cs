using SharedPageCache.Reflink;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>What files occupy on the disk, as the file system says (FIEMAP).</summary>
internal static class PhysicalBytes
{
    /// <summary>Counts the bytes of the disk that hold the content of any of the files, each once.</summary>
    public static long CountDistinct(IEnumerable<ReflinkedFile> files)
    {
        var runs = files
            .SelectMany(file => file.GetPhysicalExtents())
            .Where(extent => !extent.IsUnwritten)
            .Select(extent => (Start: extent.PhysicalOffset, End: extent.PhysicalOffset + extent.Length))
            .Distinct()
            .Order();
        long distinct = 0;
        long end = 0;
        foreach ((long start, long runEnd) in runs)
        {
            distinct += Math.Max(0, runEnd - Math.Max(start, end));
            end = Math.Max(end, runEnd);
        }

        return distinct;
    }

    /// <summary>Makes sure that two files lie in the same blocks, all of them.</summary>
    /// <exception cref="IOException">They do not.</exception>
    public static void ThrowIfNotShared(ReflinkedFile image, ReflinkedFile reflink)
    {
        IReadOnlyList<PhysicalExtent> expected = image.GetPhysicalExtents();
        IReadOnlyList<PhysicalExtent> actual = reflink.GetPhysicalExtents();
        if (!actual.All(extent => extent.HasAddress))
            throw new IOException($"{reflink.Path} has no blocks of its own to compare: is it compressed?");

        bool same = actual.All(extent => extent.IsShared)
            && actual.Select(Place).SequenceEqual(expected.Select(Place));
        if (!same)
            throw new IOException($"{reflink.Path} is a copy, not a reflink: this file system does not share its blocks");
    }

    private static (long, long, long) Place(PhysicalExtent extent) => (extent.FileOffset, extent.PhysicalOffset, extent.Length);
}
