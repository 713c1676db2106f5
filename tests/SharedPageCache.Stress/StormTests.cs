using SharedPageCache.Stress.Storms;
using SharedPageCache.Stress.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Stress;

/// <summary>
/// Free-running stress with tagged words (T4): I2 nothing stale, I3 nobody sees another's bytes, I4 not torn, I5 leases
/// frozen, I6 conservation, I7 progress, I8 loud.
/// </summary>
public sealed class StormTests(ITestOutputHelper output)
{
    private const int RoundMilliseconds = 400;

    [Fact]
    [Trait("Category", "Soak")]
    public void Clones_of_clones_read_right_under_constant_eviction() => Run(StormKind.Still);

    [Fact]
    [Trait("Category", "Soak")]
    public void Blocks_that_are_freed_reused_and_moved_never_show_old_or_foreign_bytes() => Run(StormKind.Engine);

    [Fact]
    [Trait("Category", "Soak")]
    public void A_failing_device_and_a_lying_engine_give_documented_errors_and_nothing_else() => Run(StormKind.Faults);

    [Fact]
    [Trait("Category", "Soak")]
    public void Failures_and_reuse_of_blocks_together_show_no_wrong_byte() => Run(StormKind.Faults | StormKind.Engine);

    [Fact]
    [Trait("Category", "Soak")]
    public void Disposing_in_the_middle_of_everything_ends_it_in_order() =>
        Run(StormKind.Dispose | StormKind.Engine, RoundMilliseconds / 4);

    [Fact]
    [Trait("Category", "Soak")]
    public void Whatever_readers_say_and_sharers_weigh_no_byte_is_wrong() => Run(StormKind.Hints | StormKind.Engine | StormKind.Faults);

    private void Run(StormKind kind, int milliseconds = RoundMilliseconds, [System.Runtime.CompilerServices.CallerMemberName] string test = "")
    {
        var (rounds, operations, words, steps, faults, reads, evictions, exceptions, starved) = (0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L);
        foreach (var seed in Soak.Rounds())
        {
            var options = StormOptions.Of(kind, seed, milliseconds);
            output.WriteLine(options.ToString());
            var storm = new Storm(options);
            storm.Run();
            rounds++;
            operations += storm.Operations;
            words += storm.WordsChecked;
            steps += storm.EngineSteps;
            faults += storm.FaultsInjected;
            reads += storm.DeviceReads;
            evictions += storm.Evictions;
            exceptions += storm.Exceptions;
            starved += storm.Starved;
        }

        Soak.Report(output, test, $"{rounds} rounds (seeds), {operations} operations, {words} words checked, {reads} device reads, "
            + $"{evictions} evictions, {steps} engine steps, {faults} faults injected, {exceptions} exceptions taken, {starved} reads starved");
    }
}
