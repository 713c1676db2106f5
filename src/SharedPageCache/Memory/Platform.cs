using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Memory;

/// <summary>
/// The one door to the operating system. What a platform does not have is answered by a portable fallback, never by an
/// exception: the core runs wherever .NET runs.
/// </summary>
internal static class Platform
{
    public const int HugePageSize = 2 << 20;

    private const int AdviseDontNeed = 4;
    private const int AdviseHugePage = 14;
    private const int AdviseNoHugePage = 15;
    private const int SetFlags = 4;
    private const int GetFlags = 3;

    /// <summary>O_DIRECT differs between processor families of Linux.</summary>
    private static int DirectFlag => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm or Architecture.Arm64 => 0x10000,
        _ => 0x4000,
    };

    /// <summary>
    /// Asks for huge pages (or for none) behind a range; a wish, not a demand. Nothing is asked for a range that has no room for one: it is a part of a
    /// mapping of the allocator, which the advice would split for good, and a process may have so many mappings only (<c>vm.max_map_count</c>).
    /// </summary>
    public static void AdviseHugePages(nint address, nuint length, bool wanted)
    {
        if (OperatingSystem.IsLinux() && length >= HugePageSize)
        {
            _ = madvise(address, length, wanted ? AdviseHugePage : AdviseNoHugePage);
        }
    }

    /// <summary>Gives the memory behind a range back; the range stays mapped and reads zero afterwards.</summary>
    public static void Decommit(nint address, nuint length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = madvise(address, length, AdviseDontNeed);
        }
    }

    /// <summary>Switches an open file to unbuffered I/O.</summary>
    /// <returns>False where the platform or the file system does not have it.</returns>
    public static bool TrySetDirect(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        var flags = fcntl(file, GetFlags, 0);
        return flags >= 0 && fcntl(file, SetFlags, flags | DirectFlag) == 0;
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int madvise(nint address, nuint length, int advice);

    [DllImport("libc", SetLastError = true)]
    private static extern int fcntl(SafeFileHandle file, int command, nint argument);
}
