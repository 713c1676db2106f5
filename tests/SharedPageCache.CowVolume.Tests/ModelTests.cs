using SharedPageCache.Cow.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Cow.Tests;

/// <summary>Random operations beside byte arrays; the volume is checked all the time and opened again now and then.</summary>
public sealed class ModelTests(ITestOutputHelper output)
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 12), Environment.TickCount & 0xFFFFFF];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Every_file_always_shows_what_it_should(int seed)
    {
        // To replay: add the seed as [InlineData(seed)], or call this method with it.
        output.WriteLine($"seed {seed}: new ModelTests(output).Every_file_always_shows_what_it_should({seed})");
        var random = new Random(seed);
        var blockSize = random.Next(2) == 0 ? 512 : 4096;
        var device = new SectorDevice(16384L * blockSize, blockSize) { WritesShort = random.Next(2) == 0 };
        using var volume = CowVolume.Create(device);
        var model = new Model(volume, seed);
        for (var i = 0; i < 150; i++)
        {
            output.WriteLine(await model.StepAsync());
            if (random.Next(6) == 0)
            {
                await (random.Next(4) == 0 ? volume.ReclaimAsync() : volume.CommitAsync());
            }

            if (i % 10 == 0)
            {
                volume.AssertClean();
                model.AssertSame();
            }
        }

        model.AssertSame();
        await volume.CommitAsync();
        volume.AssertClean();
        volume.Dispose();
        using var again = CowVolume.Open(device.AfterPowerCut(random));
        Assert.True(Model.AreEqual(model.State, Model.Read(again)), "reopened");
        again.AssertClean();
    }
}
