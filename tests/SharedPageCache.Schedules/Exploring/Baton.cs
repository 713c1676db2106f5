using System.Runtime.InteropServices;
using Monitor = System.Threading.Monitor;
using Real = System.Threading.Volatile;

namespace SharedPageCache.Schedules.Exploring;

/// <summary>
/// What the one running thread hands to the next. Its taker sleeps at once: explorers of several scenarios keep all cores busy, so a
/// taker that spun would only take time from the one that runs. On Linux it sleeps on a futex, which is half as dear as a monitor.
/// </summary>
internal sealed partial class Baton
{
    private const int Wait = 128; // FUTEX_WAIT | FUTEX_PRIVATE_FLAG
    private const int Wake = 129; // FUTEX_WAKE | FUTEX_PRIVATE_FLAG

    private static readonly int FutexCall = !OperatingSystem.IsLinux() ? 0 : RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 202,
        Architecture.Arm64 => 98,
        _ => 0,
    };

    /// <summary>The one word, 1 if the baton was passed; pinned, for the kernel knows it by its address.</summary>
    private readonly int[] _passed = GC.AllocateArray<int>(1, pinned: true);

    public void Pass()
    {
        if (FutexCall == 0)
        {
            lock (_passed)
            {
                _passed[0] = 1;
                Monitor.Pulse(_passed);
            }

            return;
        }

        System.Threading.Interlocked.Exchange(ref _passed[0], 1);
        _ = CallToWake(FutexCall, ref _passed[0], Wake, 1);
    }

    public void Take()
    {
        if (FutexCall == 0)
        {
            lock (_passed)
            {
                while (_passed[0] == 0)
                {
                    Monitor.Wait(_passed);
                }

                _passed[0] = 0;
            }

            return;
        }

        // The kernel compares the word with 0 again before the thread sleeps, so a pass in between is not missed.
        while (Real.Read(ref _passed[0]) == 0)
        {
            _ = CallToWait(FutexCall, ref _passed[0], Wait, 0, 0);
        }

        Real.Write(ref _passed[0], 0);
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long CallToWait(long number, ref int word, int operation, int expected, nint timeout);

    [LibraryImport("libc", EntryPoint = "syscall")]
    [SuppressGCTransition]
    private static partial long CallToWake(long number, ref int word, int operation, int count);
}
