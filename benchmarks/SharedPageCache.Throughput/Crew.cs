using System.Diagnostics;

namespace SharedPageCache.Throughput;

/// <summary>Threads that do the same work side by side, round after round.</summary>
internal sealed class Crew : IDisposable
{
    private readonly Barrier _barrier;
    private readonly Thread[] _threads;
    private readonly double[] _rates;
    private Action<int>? _work;
    private int _operations;

    /// <param name="count">How many threads.</param>
    public Crew(int count)
    {
        _barrier = new Barrier(count + 1);
        _rates = new double[count];
        _threads = new Thread[count];
        for (var i = 0; i < count; i++)
        {
            var number = i;
            _threads[i] = new Thread(() => Live(number)) { IsBackground = true };
            _threads[i].Start();
        }
    }

    /// <summary>How many threads there are.</summary>
    public int Count => _threads.Length;

    /// <summary>All threads do their work once.</summary>
    /// <param name="operations">How many operations that is for each.</param>
    /// <param name="work">The work of the thread with a number.</param>
    /// <returns>Nanoseconds an operation of all together: the threads' own rates, added up.</returns>
    public double Run(int operations, Action<int> work)
    {
        _work = work;
        _operations = operations;
        _barrier.SignalAndWait();
        _barrier.SignalAndWait();
        return 1 / _rates.Sum();
    }

    public void Dispose()
    {
        _work = null;
        _barrier.SignalAndWait();
        Array.ForEach(_threads, static thread => thread.Join());
        _barrier.Dispose();
    }

    private void Live(int number)
    {
        while (true)
        {
            _barrier.SignalAndWait();
            if (_work is not { } work)
            {
                return;
            }

            var start = Stopwatch.GetTimestamp();
            work(number);
            _rates[number] = _operations / Stopwatch.GetElapsedTime(start).TotalNanoseconds;
            _barrier.SignalAndWait();
        }
    }
}
