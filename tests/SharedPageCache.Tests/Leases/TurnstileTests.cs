using SharedPageCache.Concurrency;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Leases;

/// <summary>The place where leases wait for each other.</summary>
[Collection(HeapCollection.Name)]
public class TurnstileTests
{
    [Fact]
    [Trait("Contract", "C9")]
    public async Task A_long_wait_in_many_rounds_piles_nothing_up()
    {
        const int Rounds = 5000;
        var turnstile = new Turnstile(longestSleepMilliseconds: 0);
        using var cancel = new CancellationTokenSource();
        await turnstile.WaitAsync(cancel.Token);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var round = 0; round < Rounds; round++)
        {
            await turnstile.WaitAsync(cancel.Token);
        }

        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.True(grown < Rounds * 50, $"{grown} bytes are left of {Rounds} rounds");
        GC.KeepAlive(turnstile);
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Who_waits_is_woken_by_a_pulse_or_its_token()
    {
        var turnstile = new Turnstile(longestSleepMilliseconds: 100_000);
        using var cancel = new CancellationTokenSource();
        var woken = turnstile.WaitAsync(cancel.Token);
        turnstile.Pulse();
        await woken.Within();
        var cancelled = turnstile.WaitAsync(cancel.Token);
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.Within());
    }
}
