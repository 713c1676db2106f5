using SharedPageCache.Stress.Support;
using SharedPageCache.Stress.WriteStorms;
using Xunit.Abstractions;

namespace SharedPageCache.Stress;

/// <summary>
/// Free-running writers on few frames, with an oracle of every stripe of every page: nothing torn, stale or foreign (I1 to
/// I5), clones are one moment, what was flushed is durable (C6), and at the end every frame has come back (I6).
/// </summary>
public sealed class WriteStormTests(ITestOutputHelper output)
{
    private const int RoundMilliseconds = 300;

    [Fact]
    [Trait("Category", "Soak")]
    public void Writers_of_the_same_pages_clones_cuts_and_flushes_agree() => Run(fails: false);

    [Fact]
    [Trait("Category", "Soak")]
    public void Writes_that_fail_for_a_while_lose_nothing() => Run(fails: true);

    private void Run(bool fails, [System.Runtime.CompilerServices.CallerMemberName] string test = "")
    {
        var (rounds, operations, words, ranges, deduped, merges) = (0, 0L, 0L, 0L, 0L, 0L);
        foreach (var seed in Soak.Rounds())
        {
            var options = WriteStormOptions.Of(seed, RoundMilliseconds, fails);
            output.WriteLine($"{options}{Environment.NewLine}  {Soak.Replay(test, seed)}");
            var storm = new WriteStorm(options);
            storm.Run();
            rounds++;
            operations += storm.Operations;
            words += storm.WordsChecked;
            ranges += storm.Ranges;
            deduped += storm.Deduped;
            merges += storm.Merges;
        }

        Soak.Report(output, test, $"{rounds} rounds (seeds), {operations} operations, {words} words checked, {ranges} ranges cloned, {deduped} deduped, {merges} branches merged");
    }
}
