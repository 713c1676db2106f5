using SharedPageCache.Concurrency;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Concurrency;

/// <summary>Who passes a file's gate, and in which order.</summary>
public class GateTests
{
    private Gate _gate;

    [Fact]
    public void Who_is_first_in_line_goes_before_those_who_wait_to_be_alone_and_those_who_come_together()
    {
        var order = new List<string>();
        void Pass(string name, Action enter, Action leave)
        {
            enter();
            lock (order)
            {
                order.Add(name);
            }

            leave();
        }

        _gate.EnterAlone();
        Thread[] others =
        [
            new(() => Pass("alone", () => _gate.EnterAlone(), () => _gate.ExitAlone())),
            new(() => Pass("alone", () => _gate.EnterAlone(), () => _gate.ExitAlone())),
            new(() => Pass("together", () => _gate.EnterShared(), () => _gate.ExitShared())),
        ];
        Array.ForEach(others, static thread => thread.Start());
        Bounded.Until(() => Array.TrueForAll(others, static thread => thread.ThreadState.HasFlag(ThreadState.WaitSleepJoin)), "all of them wait");
        var first = new Thread(() => Pass("first", () => _gate.EnterFirst(), () => _gate.ExitAlone()));
        first.Start();
        Bounded.Until(() => first.ThreadState.HasFlag(ThreadState.WaitSleepJoin), "the first in line waits");
        _gate.ExitAlone();
        first.Join();
        Array.ForEach(others, static thread => thread.Join());
        Assert.Equal("first", order[0]);
        Assert.Equal(["alone", "alone", "first", "together"], order.Order());

        // No wish has stayed behind: everybody may pass.
        Assert.True(_gate.TryEnterAlone());
        _gate.ExitAlone();
        _gate.EnterShared();
        _gate.ExitShared();
    }
}
