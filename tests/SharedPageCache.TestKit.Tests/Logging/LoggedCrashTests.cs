using Xunit.Abstractions;

namespace SharedPageCache.TestKit.Tests.Logging;

/// <summary>
/// The power goes at every write and flush of a workload, on both disks at once, with sectors lost, torn and out of order. What
/// recovery finds is the state after some prefix of the log, and nothing that was promised is missing from it.
/// </summary>
public sealed class LoggedCrashTests(ITestOutputHelper output)
{
    public static TheoryData<ulong> Seeds => [1, 2, 3, 4, TestKit.Runs.Seeds.Next()];

    [Theory]
    [MemberData(nameof(Seeds))]
    [Trait("Row", "E9")]
    public async Task After_a_power_cut_at_any_operation_every_promised_change_is_there(ulong seed)
    {
        var (cuts, inPlace) = (0, 0L);
        for (var cut = 0; ; cut++)
        {
            var (wasCut, placed) = await RunAsync(seed, cut);
            inPlace += placed;
            if (!wasCut)
            {
                break;
            }

            cuts++;
        }

        output.WriteLine($"seed {seed}: {cuts} power cuts, {inPlace} pages placed in place");
        Assert.True(cuts > 60 && inPlace > 60, $"the run is long enough to mean something: {cuts} cuts, {inPlace} in place");
    }

    [Fact]
    public async Task Every_state_of_the_sectors_after_a_cut_in_a_write_in_place_recovers()
    {
        var states = 0;
        for (var cut = 0; ; cut++)
        {
            var power = new PowerSupply();
            using var world = await LoggedWorld.CreateAsync(power, blocks: 8, logLength: 16 << 10);
            var file = await world.Engine.CreateFileAsync("file", 1);
            await file.UpdateAsync(0, 0, Content(1));
            await world.Engine.CheckpointAsync();
            var allowed = new List<byte[]> { Content(1) };
            power.CutAfter(cut);
            try
            {
                allowed.Add(Content(2));
                await file.UpdateAsync(0, 0, Content(2));
                await file.FlushAsync();
                allowed.RemoveAt(0);
                allowed.Add([.. Content(3)[..100], .. Content(2)[100..]]);
                await file.UpdateAsync(0, 0, Content(3).AsMemory(0, 100));
                await file.FlushAsync();
                allowed.RemoveAt(0);
            }
            catch (CacheWritebackException) when (power.IsCut)
            {
            }

            Assert.True(world.Data.PowerCuts * world.Log.PowerCuts < 5000, "few enough to try all");
            foreach (var data in world.Data.AllPowerCuts())
            {
                foreach (var log in world.Log.AllPowerCuts())
                {
                    using var recovered = await LoggedWorld.OpenAsync(data.Durable(), log.Durable());
                    var found = await recovered.Engine.OpenFile("file").ReadAsync(0);
                    Assert.True(allowed.Any(content => content.AsSpan().SequenceEqual(found)), $"cut {cut}, {states} states before: {PageTag.Of(found)}");
                    states++;
                }
            }

            if (!power.IsCut)
            {
                break;
            }
        }

        output.WriteLine($"{states} states");
        Assert.True(states > 30);
    }

    [Fact]
    public async Task A_recovery_that_loses_its_power_is_done_again_and_finds_the_same()
    {
        using var world = await LoggedWorld.CreateAsync(blocks: 64);
        var workload = new LoggedWorkload(world, 7);
        for (var i = 0; i < 60; i++)
        {
            await workload.StepAsync();
        }

        await world.Engine.CommitAsync();
        var (data, log) = (world.Data.AfterPowerCut(new Random(1)), world.Log.AfterPowerCut(new Random(2)));
        var cuts = 0;
        for (var wasCut = true; wasCut; cuts++)
        {
            var power = new PowerSupply();
            var (brokenData, brokenLog) = (data.Durable(power), log.Durable(power));
            power.CutAfter(cuts);
            wasCut = await IsCutAsync(() => LoggedEngine.OpenAsync(brokenData, brokenLog), power);
            using var recovered = await LoggedWorld.OpenAsync(
                brokenData.AfterPowerCut(new Random(cuts)), brokenLog.AfterPowerCut(new Random(cuts + 1000)));
            recovered.AssertSound();
            var found = await recovered.ReadAllAsync();
            Assert.True(LoggedWorld.AreEqual(workload.Now, found), $"cut {cuts}: {LoggedWorld.Say(found)} instead of {LoggedWorld.Say(workload.Now)}");
        }

        output.WriteLine($"{cuts} power cuts during recovery");
        Assert.True(cuts > 10);
    }

    private static async Task<bool> IsCutAsync(Func<Task> action, PowerSupply power)
    {
        try
        {
            await action();
            return false;
        }
        catch (IOException) when (power.IsCut)
        {
            return true;
        }
    }

    private static byte[] Content(int version) => new PageTag(1, 1, 0, version).ToBytes(LoggedWorld.Payload);

    /// <summary>One run with one power cut.</summary>
    private static async Task<(bool WasCut, long InPlace)> RunAsync(ulong seed, int cut)
    {
        var power = new PowerSupply();
        using var world = await LoggedWorld.CreateAsync(power, blocks: 64, logLength: 32 << 10);
        var workload = new LoggedWorkload(world, seed);
        power.CutAfter(cut);
        var wasCut = await IsCutAsync(
            async () =>
            {
                for (var i = 0; i < 120; i++)
                {
                    await workload.StepAsync();
                }
            },
            power);
        Assert.Equal(0, world.Rule.Violations);

        using var recovered = await world.CrashAsync(new Random((int)seed + cut));
        recovered.AssertSound();
        var found = await recovered.ReadAllAsync();
        Assert.True(
            workload.IsAllowed(found),
            $"cut {cut}: {LoggedWorld.Say(found)} is none of the {workload.AllowedStates} states since the last promise, the last of which is {LoggedWorld.Say(workload.Now)}. "
            + TestKit.Runs.Seeds.Replay("tests/SharedPageCache.TestKit.Tests", nameof(LoggedCrashTests), seed));

        // It can be used as before.
        var file = await recovered.Engine.CreateFileAsync("after", 1);
        await file.UpdateAsync(0, 0, Content(1));
        await file.FlushAsync();
        recovered.AssertSound();
        return (wasCut, world.Engine.PlacedInPlace);
    }
}
