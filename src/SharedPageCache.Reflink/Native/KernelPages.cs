using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Reflink.Native;

/// <summary>Asks the kernel which pages of a file its page cache holds.</summary>
internal static unsafe class KernelPages
{
    private const int CacheStat = 451;          // the same number on every processor; Linux 6.5
    private const int Readable = 1;
    private const int SharedMapping = 1;
    private const long Step = 1L << 30;

    /// <summary>Counts the bytes of a file that the page cache holds.</summary>
    public static long CountBytes(SafeFileHandle file, string path, long size)
    {
        var range = stackalloc ulong[2];        // struct cachestat_range: all of the file
        var answer = stackalloc ulong[5];       // struct cachestat: cached, dirty, in write-back, evicted, recently evicted
        range[0] = range[1] = 0;
        nint result;
        var added = false;
        file.DangerousAddRef(ref added);
        try
        {
            result = LibC.syscall(CacheStat, file.DangerousGetHandle(), range, answer, 0);
        }
        finally
        {
            file.DangerousRelease();
        }

        if (result == 0)
        {
            return (long)answer[0] * Environment.SystemPageSize;
        }

        var error = Marshal.GetLastPInvokeError();
        return error == LibC.NotImplemented ? CountByMapping(file, path, size) : throw LibC.Error("cachestat", path, error);
    }

    /// <summary>The older way: maps the file, touches nothing, and asks page by page.</summary>
    public static long CountByMapping(SafeFileHandle file, string path, long size)
    {
        var page = Environment.SystemPageSize;
        var residency = new byte[Step / page];
        long pages = 0;
        for (long offset = 0; offset < size; offset += Step)
        {
            var length = (nuint)Math.Min(Step, size - offset);
            var address = LibC.mmap(0, length, Readable, SharedMapping, file, offset);
            if (address == -1)
            {
                throw LibC.LastError("mmap", path);
            }

            try
            {
                fixed (byte* answer = residency)
                {
                    if (LibC.mincore(address, length, answer) != 0)
                    {
                        throw LibC.LastError("mincore", path);
                    }
                }
            }
            finally
            {
                _ = LibC.munmap(address, length);
            }

            var count = (int)(((long)length + page - 1) / page);
            foreach (var state in residency.AsSpan(0, count))
            {
                pages += state & 1;
            }
        }

        return pages * page;
    }
}
