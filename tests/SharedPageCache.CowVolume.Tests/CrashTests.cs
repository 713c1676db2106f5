using System.Globalization;
using SharedPageCache.Cow.Tests.Crashes;
using SharedPageCache.Cow.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Cow.Tests;

/// <summary>
/// The power goes at every single write and flush of a short run, several times with different luck. What opens
/// afterwards is the last state that was acknowledged, or one that was being committed, and it is whole.
/// </summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private const int Block = 512;

    /// <summary>
    /// Every state of the unflushed sectors of all programs of one operation, through a cache and without one, and of many of two and three;
    /// samples of longer ones. <c>SPC_CRASH_POINTS</c> says how many crash points.
    /// </summary>
    [Fact]
    public async Task After_a_crash_at_any_moment_the_volume_is_whole()
    {
        var seed = Seeds.Next();
        output.WriteLine(Seeds.Replay("tests/SharedPageCache.CowVolume.Tests", nameof(After_a_crash_at_any_moment_the_volume_is_whole), seed));
        var points = long.TryParse(Environment.GetEnvironmentVariable("SPC_CRASH_POINTS"), CultureInfo.InvariantCulture, out var asked) ? asked : 100_000;
        var figures = await CrashLeg.RunAsync(seed, points, DateTime.MaxValue);
        output.WriteLine($"{figures}");
        Assert.InRange(figures.Points, points, long.MaxValue);
    }

    [Fact]
    public async Task After_a_power_cut_while_recovering_the_volume_is_whole_too()
    {
        for (var cut = 0; cut < 2; cut++)
        {
            for (var luck = 0; luck < 20; luck++)
            {
                var device = new SectorDevice(2 << 20, Block);
                using (var volume = CowVolume.Create(device))
                {
                    await volume.WriteAsync(volume.CreateFile("file"), 0, WriteBack.Bytes(40 * Block, 1));
                    await volume.CommitAsync();
                    volume.Rename("file", "renamed");
                    device.CutPowerAfter(3);
                    await Assert.ThrowsAsync<IOException>(() => volume.CommitAsync());
                }

                device = device.AfterPowerCut(new Random(luck));
                device.CutPowerAfter(cut);
                Assert.Throws<IOException>(() => CowVolume.Open(device));
                using var again = CowVolume.Open(device.AfterPowerCut(new Random(luck + 100)));
                Assert.Contains(Assert.Single(again.Files).Name, new[] { "file", "renamed" });
                Assert.Equal(WriteBack.Bytes(40 * Block, 1), again.ReadAll(again.OpenFile(again.Files[0].Name)));
                again.AssertClean();
            }
        }
    }

    [Fact]
    public async Task A_volume_that_crashes_again_and_again_goes_on()
    {
        var seed = Environment.TickCount & 0xFFFFFF;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var device = new SectorDevice(16 << 20, Block);
        CowVolume.Create(device).Dispose();
        SortedDictionary<string, byte[]> durable = [];
        for (var round = 0; round < 40; round++)
        {
            using var volume = CowVolume.Open(device);
            volume.AssertClean();
            Assert.True(Model.AreEqual(durable, Model.Read(volume)), $"seed {seed}, round {round}");
            foreach (var entry in volume.Files)
            {
                volume.Delete(entry.Name);
            }

            var model = new Model(volume, random.Next());
            for (var i = 0; i < 10; i++)
            {
                await model.StepAsync();
            }

            await volume.CommitAsync();
            durable = model.Copy();
            for (var i = 0; i < 5; i++)
            {
                await model.StepAsync();
            }

            device = device.AfterPowerCut(random);
        }
    }
}
