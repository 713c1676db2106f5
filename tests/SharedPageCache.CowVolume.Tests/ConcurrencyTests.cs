using SharedPageCache.Cow.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Cow.Tests;

/// <summary>Hooks, write-backs, commits, clones and checks at the same time.</summary>
public sealed class ConcurrencyTests(ITestOutputHelper output)
{
    private const int Block = 512;

    [Fact]
    public async Task Everything_at_once_leaves_every_file_as_it_should_be()
    {
        var seed = Environment.TickCount & 0xFFFFFF;
        output.WriteLine($"seed {seed}");
        var device = new SectorDevice(32 << 20, Block) { Before = async _ => await Task.Yield() };
        using var volume = CowVolume.Create(device);
        var models = Enumerable.Range(0, 3).Select(i => new Model(volume, seed + i)).ToList();
        var running = true;
        var commits = Enumerable.Range(0, 2).Select(i => Task.Run(async () =>
        {
            while (Volatile.Read(ref running))
            {
                await (i == 0 ? volume.CommitAsync() : volume.ReclaimAsync());
            }
        })).ToList();
        commits.Add(Task.Run(() =>
        {
            while (Volatile.Read(ref running))
            {
                volume.AssertClean();
            }
        }));
        await Task.WhenAll(models.Select(model => Task.Run(async () =>
        {
            for (var i = 0; i < 150; i++)
            {
                await model.StepAsync();
            }
        })));
        models.ForEach(model => model.AssertContent());
        Volatile.Write(ref running, false);
        await Task.WhenAll(commits);
        await volume.CommitAsync();
        volume.AssertClean();
        volume.Dispose();
        using var again = CowVolume.Open(device.AfterPowerCut(new Random(seed)));
        var found = Model.Read(again);
        Assert.Equal(models.Sum(model => model.State.Count), found.Count);
        Assert.All(models.SelectMany(model => model.State), pair => Assert.Equal(pair.Value, found[pair.Key]));
        again.AssertClean();
    }

    [Fact]
    public async Task Extents_of_a_moment_go_with_the_sequence_of_that_moment()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(64 * Block, 1));
        var source = file.Clone();
        var running = true;
        var changer = Task.Run(() =>
        {
            for (var i = 0; Volatile.Read(ref running); i++)
            {
                // Always 64 blocks or none: never anything between.
                if (i % 2 == 0)
                {
                    file.PunchHole(0, 64 * Block);
                }
                else
                {
                    file.CloneRange(source, 0, 0, 64 * Block);
                }
            }
        });
        var byParity = new bool?[2];
        for (var i = 0; i < 20_000; i++)
        {
            var before = file.Sequence;
            var shown = file.Extents(0, 64 * Block).Sum(extent => extent.Length) / Block;
            Assert.True(shown is 0 or 64, $"{shown} blocks");
            if (file.Sequence == before)
            {
                var parity = byParity[before % 2] ??= shown == 64;
                Assert.Equal(parity, shown == 64);
            }
        }

        Volatile.Write(ref running, false);
        await changer;
        volume.AssertClean();
    }
}
