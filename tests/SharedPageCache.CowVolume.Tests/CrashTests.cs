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

    public static TheoryData<int> Seeds => [1, 2, 3, 4, 5, 6, Environment.TickCount & 0xFFFFFF];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task After_a_power_cut_at_any_write_the_volume_is_whole(int seed)
    {
        var cuts = 0;
        for (var cut = 0; await RunAsync(seed, cut, luck: cut % 5); cut++)
        {
            cuts++;
        }

        output.WriteLine($"seed {seed}: {cuts} power cuts");
        Assert.True(cuts > 60, "the run is long enough to mean something");
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
            durable = Copy(model.State);
            for (var i = 0; i < 5; i++)
            {
                await model.StepAsync();
            }

            device = device.AfterPowerCut(random);
        }
    }

    /// <summary>One run with one power cut; false if the run ended before the cut.</summary>
    private static async Task<bool> RunAsync(int seed, int cut, int luck)
    {
        var random = new Random(seed);
        var device = new SectorDevice(1 << 20, Block);
        using var volume = CowVolume.Create(device);
        device.CutPowerAfter(cut);
        var model = new Model(volume, seed);

        // The states that may be found: the last one acknowledged, and those of commits that were tried since. Place may
        // commit by itself, so each state since then counts.
        List<SortedDictionary<string, byte[]>> allowed = [[]];
        var wasCut = false;
        var steps = 0;
        try
        {
            for (; steps < 80; steps++)
            {
                await model.StepAsync();
                allowed.Add(Copy(model.State));
                if (random.Next(4) == 0)
                {
                    await (random.Next(3) == 0 ? volume.ReclaimAsync() : volume.CommitAsync());
                    allowed.RemoveRange(0, allowed.Count - 1);
                }
            }
        }
        catch (VolumeFullException)
        {
            // Metadata alone has filled it; what was acknowledged is still there.
        }
        catch (IOException)
        {
            wasCut = true;
        }

        using var recovered = CowVolume.Open(device.AfterPowerCut(new Random((seed * 1000) + cut + luck)));
        recovered.AssertClean();
        var found = Model.Read(recovered);
        Assert.True(
            allowed.Any(state => Model.AreEqual(state, found)),
            $"seed {seed}, cut {cut}: after {steps} steps the volume shows none of {allowed.Count} states: "
            + string.Join(", ", found.Select(entry => $"{entry.Key} ({entry.Value.Length})")));

        // It can be used as before.
        await recovered.WriteAsync(recovered.CreateFile("after"), 0, WriteBack.Bytes(100 * Block, cut));
        await recovered.CommitAsync();
        recovered.AssertClean();
        return wasCut;
    }

    private static SortedDictionary<string, byte[]> Copy(SortedDictionary<string, byte[]> state)
    {
        var copy = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var (name, bytes) in state)
        {
            copy.Add(name, [.. bytes]);
        }

        return copy;
    }
}
