using System.Runtime.Versioning;
using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <summary>
/// What the kernel's own page cache holds of a file: the measure of what reading around it saves. Thread safe.
/// </summary>
[SupportedOSPlatform("linux")]
public static class KernelPageCache
{
    /// <summary>Counts the bytes of a file that the kernel's page cache holds at this moment.</summary>
    /// <remarks>
    /// Exact and of this file alone: cachestat(2), or mincore(2) where the kernel is older than 6.5. Counting brings
    /// nothing in.
    /// </remarks>
    /// <param name="path">A regular file on any file system.</param>
    /// <returns>Bytes, a multiple of the system's page size.</returns>
    /// <exception cref="IOException">The file cannot be opened or the kernel refuses.</exception>
    /// <exception cref="UnauthorizedAccessException">
    /// No permission; the kernel answers only those who may write to the file or own it.
    /// </exception>
    public static long GetCachedBytes(string path)
    {
        using var file = DirectFile.Open(path);
        return KernelPages.CountBytes(file, path, RandomAccess.GetLength(file));
    }

    /// <summary>Drops the clean pages that the kernel's page cache holds of a file; nothing is lost.</summary>
    /// <remarks>A wish: pages that are dirty, mapped or in use stay. Write a fresh file back first.</remarks>
    /// <param name="path">A regular file on any file system.</param>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public static void Drop(string path)
    {
        using var file = DirectFile.Open(path);
        DirectFile.DropKernelCopy(file);
    }
}
