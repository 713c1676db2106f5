using Monitor = System.Threading.Monitor;
using Real = System.Threading.Volatile;

namespace SharedPageCache.Schedules.Exploring;

/// <summary>What the one running thread hands to the next. Its taker spins a little before it sleeps.</summary>
internal sealed class Baton
{
    private const int Spins = 60;

    private readonly object _monitor = new();
    private int _passed;
    private bool _sleeps;

    public void Pass()
    {
        System.Threading.Interlocked.Exchange(ref _passed, 1);
        if (Real.Read(ref _sleeps))
        {
            lock (_monitor)
            {
                Monitor.Pulse(_monitor);
            }
        }
    }

    public void Take()
    {
        for (var spin = 0; spin < Spins; spin++)
        {
            if (Real.Read(ref _passed) != 0)
            {
                Real.Write(ref _passed, 0);
                return;
            }

            System.Threading.Thread.SpinWait(20);
        }

        lock (_monitor)
        {
            Real.Write(ref _sleeps, true);
            System.Threading.Interlocked.MemoryBarrier();
            while (Real.Read(ref _passed) == 0)
            {
                Monitor.Wait(_monitor);
            }

            _sleeps = false;
            Real.Write(ref _passed, 0);
        }
    }
}
