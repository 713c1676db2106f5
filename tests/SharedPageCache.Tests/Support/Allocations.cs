using System.Runtime.ExceptionServices;

namespace SharedPageCache.Tests.Support;

/// <summary>
/// Counts what a piece of code allocates, exactly: on a thread of its own, so that nothing else of the test runner is
/// counted, and by the best of several rounds, because the runtime may allocate once on the thread while code is
/// compiled again, a type is loaded or a pool grows. Code that allocates does so in every round.
/// </summary>
public static class Allocations
{
    private const int Rounds = 10;

    /// <summary>The bytes that the best round has allocated.</summary>
    /// <param name="code">What is measured.</param>
    /// <param name="before">What is done before each round and is not measured.</param>
    /// <param name="after">What is done after each round and is not measured.</param>
    public static long Of(Action code, Action? before = null, Action? after = null)
    {
        var least = long.MaxValue;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                for (var round = 0; round < Rounds && least > 0; round++)
                {
                    before?.Invoke();
                    var start = GC.GetAllocatedBytesForCurrentThread();
                    code();
                    least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - start);
                    after?.Invoke();
                }
            }
            catch (Exception error)
            {
                failure = ExceptionDispatchInfo.Capture(error);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        return least;
    }
}
