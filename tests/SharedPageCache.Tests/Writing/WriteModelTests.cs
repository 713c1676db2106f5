using SharedPageCache.TestKit.Models;
using SharedPageCache.TestKit.Runs;
using SharedPageCache.Tests.Writing.Modelled;
using Xunit.Abstractions;

namespace SharedPageCache.Tests.Writing;

/// <summary>
/// Many files, all operations, byte arrays as the oracle (T1): whatever is written, cloned, cut and flushed in whatever order, a
/// file shows what it should (I1 to I5), what was flushed is on the device (C6), and nothing is left over (I6). The long run is
/// the leg <c>model</c> of tests/SharedPageCache.Soak, which also says how a failure is run again.
/// </summary>
public class WriteModelTests(ITestOutputHelper output)
{
    private const int Operations = 60_000;

    private readonly ModelRun _run = new(static shape => new ArrayVolume(shape)) { ShrinkLimit = TimeSpan.FromSeconds(30) };

    /// <summary>Histories, and steps of histories, that once failed.</summary>
    public static TheoryData<string> Regressions => ["0x1", "0x2", "0x3", "0xef554e3f4504:7883-8135"];

    [Theory]
    [Trait("Contract", "C2")]
    [MemberData(nameof(Regressions))]
    public void What_failed_once_holds(string replay) => Assert.Null(_run.Replay(replay));

    [Fact]
    [Trait("Contract", "C2")]
    [Trait("Contract", "C5")]
    [Trait("Contract", "C6")]
    public void Every_file_always_shows_what_was_written_to_it()
    {
        var seed = Seeds.Next();
        output.WriteLine(Seeds.Replay("tests/SharedPageCache.Tests", nameof(WriteModelTests), seed));
        var figures = _run.Run(seed, Operations, TimeSpan.FromMinutes(2));
        output.WriteLine($"{figures.Operations} operations, {figures.Histories} histories, {figures.BytesCompared} bytes compared, {figures.Refusals} refusals");
        Assert.True(figures.Failure is null, figures.Failure?.ToString());
        Assert.All(figures.Chosen, static pair => Assert.True(pair.Value > 0, $"{pair.Key} was never chosen"));
        Assert.InRange(figures.Verifications, figures.Operations / 1000, figures.Operations);
    }

    /// <summary>
    /// The test of the test: a device that loses the writes of one block is found, and a few steps show it. The seed's history has no
    /// writer in the background, so that it is the same each time.
    /// </summary>
    [Fact]
    public void A_lost_write_is_found_and_the_history_made_short()
    {
        var run = new ModelRun(static shape => new ArrayVolume(shape, lostBlock: 5)) { Threads = 1, ShrinkLimit = TimeSpan.FromSeconds(20) };
        var failure = run.Run(seed: 1, Operations, TimeSpan.FromMinutes(1)).Failure;
        Assert.NotNull(failure);
        output.WriteLine(failure.ToString());
        Assert.True(failure.IsShrunk);
        Assert.InRange(failure.Story.Count, 0, 20);
        Assert.NotNull(run.Replay(failure.Replay));
        Assert.Null(_run.Replay(failure.Replay));
    }
}
