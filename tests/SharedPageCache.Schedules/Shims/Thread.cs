using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.Shims;

/// <summary>A thread as the core's counters see it: the processor is the logical thread, so that a replay is exact.</summary>
internal sealed class Thread
{
    [ThreadStatic]
    private static Thread? t_current;

    private readonly System.Threading.Thread _real = System.Threading.Thread.CurrentThread;

    public static Thread CurrentThread => t_current ??= new Thread();

    public bool IsAlive => _real.IsAlive;

    public static int GetCurrentProcessorId() => Scheduler.Current?.Number ?? 0;
}
