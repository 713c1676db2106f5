using SharedPageCache.Stress.Faults;
using SharedPageCache.Stress.Support;
using SharedPageCache.TestKit.Faults;
using Xunit.Abstractions;

namespace SharedPageCache.Stress;

/// <summary>
/// Fault enumeration in the manner of SQLite (T2): each scenario is run again with its n-th call of the device or the engine
/// failing, n = 1, 2, … until it runs clean; once, and for ever after. Then everything is healed, flushed, verified and
/// compared. I8: what is injected surfaces as the documented exception or is healed by a counted retry.
/// </summary>
public sealed class FaultEnumerationTests(ITestOutputHelper output)
{
    public static TheoryData<int, int> Sizes => new() { { 4096, 4096 }, { 4096, 512 }, { 512, 1024 } };

    /// <summary>One scenario in so many by default; <c>SPC_SCALE=16</c> takes all.</summary>
    private const int EveryScenario = 16;

    public static TheoryData<string> Layouts => [.. FaultLeg.Layouts];

    [Theory]
    [MemberData(nameof(Layouts))]
    [Trait("Contract", "C7")]
    [Trait("Contract", "C11")]
    public async Task Every_call_of_engine_and_device_fails_once_and_forever(string layout)
    {
        var seed = Soak.Seed();
        output.WriteLine(Soak.Replay(nameof(Every_call_of_engine_and_device_fails_once_and_forever), seed));
        Assert.True(FaultLeg.Scenarios >= 150);
        Soak.Report(output, $"Fault enumeration, {layout}", $"{await FaultLeg.RunOnceAsync(layout, seed, oneIn: Math.Max(1, (int)(EveryScenario / Soak.Scale)))}");
    }

    [Fact]
    [Trait("Contract", "C7")]
    public async Task Random_faults_under_four_threads_lose_nothing()
    {
        var seed = Soak.Seed();
        output.WriteLine(Soak.Replay(nameof(Random_faults_under_four_threads_lose_nothing), seed));
        Soak.Report(output, "Random faults under four threads", $"{await RandomFaultLeg.RunAsync(seed, Soak.Scaled(500), DateTime.MaxValue)}");
    }

    /// <summary>Files of holes, opaque extents and pages of several pieces, which no writing engine makes.</summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task Every_call_that_can_fail_under_a_reader_fails_once_and_forever(int page, int block)
    {
        var kinds = Enum.GetValues<FaultKind>().Where(static kind => kind != FaultKind.TokenFires).ToArray();
        var enumeration = new FaultEnumeration { Kinds = kinds, MostStride = Soak.Scale > 1 ? 1 : 5, Seed = Soak.Seed() };
        var figures = default(FaultFigures);
        foreach (var (name, story) in ReadingRig.Stories)
        {
            foreach (var isAsync in new[] { false, true })
            {
                figures += await enumeration.RunAsync(
                    $"{name} ({(isAsync ? "asynchronous" : "synchronous")} device), page {page}, block {block}",
                    plan => ReadingRig.RunAsync(story, page, block, isAsync, plan));
            }
        }

        Soak.Report(output, $"Fault enumeration, page {page}, block {block}", figures.ToString());
    }
}
