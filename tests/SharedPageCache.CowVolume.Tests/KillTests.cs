using System.Globalization;
using SharedPageCache.Cow.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Cow.Tests;

/// <summary>
/// A process that writes to a volume is killed at random moments, again and again, and the volume is opened after it: it is
/// whole, and each page has the version that was last promised to be durable, or a newer one.
/// </summary>
public sealed class KillTests(ITestOutputHelper output)
{
    private const int Volumes = 4;

    /// <summary>Versions for one child; a tag has room for a million of them.</summary>
    private const int VersionsOfAChild = 18_000;

    private static readonly int Kills = (int)(200 * (double.TryParse(
        Environment.GetEnvironmentVariable("SPC_SCALE"), CultureInfo.InvariantCulture, out var scale) ? Math.Min(scale, 1) : 1));

    [Fact]
    [Trait("Row", "E9")]
    public async Task A_volume_survives_the_killing_of_its_process_at_any_moment()
    {
        var seed = Seeds.Next();
        long promises = 0, clones = 0;
        await Parallel.ForAsync(0, Volumes, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (number, token) =>
        {
            using var file = TemporaryFile.InMemory();
            var run = new Run(file.Path, Dice.Mix(seed, (ulong)number));
            run.Create();
            for (var kill = 0; kill < Kills / Volumes; kill++)
            {
                try
                {
                    await run.KillOneAsync(1 + kill * VersionsOfAChild, token);
                    run.Verify();
                }
                catch (Exception error)
                {
                    throw new InvalidOperationException(
                        $"volume {number}, kill {kill}: {error.Message} {Seeds.Replay("tests/SharedPageCache.CowVolume.Tests", nameof(KillTests), seed)}", error);
                }
            }

            Interlocked.Add(ref promises, run.Ledger.Promises);
            Interlocked.Add(ref clones, run.ClonesChecked);
        });
        output.WriteLine($"seed {seed}: {Kills} kills, {promises} promises kept, {clones} looks at clones");
        Assert.True(promises > Kills, $"{promises} promises in {Kills} kills are too few to mean something");
    }

    private sealed class Run(string path, ulong seed)
    {
        private readonly Dice _dice = new(seed);
        private readonly Dictionary<int, (int Lineage, int[] Versions)> _promisedClones = [];
        private readonly HashSet<int> _deleted = [];

        public PageLedger Ledger { get; } = new();

        public long ClonesChecked { get; private set; }

        public void Create()
        {
            using var volume = CowVolume.Create(path, new CowVolumeOptions { CapacityBytes = 8 << 20, DirectIO = false });
            for (var lineage = 0; lineage < KilledWriter.Files; lineage++)
            {
                volume.CreateFile(KilledWriter.NameOf(lineage));
            }

            volume.CommitAsync().GetAwaiter().GetResult();
        }

        public async Task KillOneAsync(int version, CancellationToken cancellationToken)
        {
            using var child = ChildProcess.Start(
                typeof(KillTests).Assembly.Location, "writer", path, _dice.Next().ToString(CultureInfo.InvariantCulture), version.ToString(CultureInfo.InvariantCulture));

            // While it opens the volume, or after some lines and a moment more, in the middle of anything.
            if (_dice.OneIn(10))
            {
                await Task.Delay(_dice.Below(150), cancellationToken);
            }
            else
            {
                await child.WaitForLinesAsync(_dice.From(1, 30), cancellationToken);
                await Task.Delay(_dice.Below(10), cancellationToken);
            }

            var asked = new Dictionary<int, (int Lineage, int[] Versions)>();
            foreach (var line in await child.KillAsync())
            {
                switch (line.Split(' '))
                {
                    case ["clone", var lineage, var number]:
                        var origin = int.Parse(lineage, CultureInfo.InvariantCulture);
                        asked.Add(
                            int.Parse(number, CultureInfo.InvariantCulture),
                            (origin, [.. Enumerable.Range(0, KilledWriter.Pages).Select(page => Ledger.NewestOf(origin, page))]));
                        break;
                    case ["cloned", var number]:
                        var clone = int.Parse(number, CultureInfo.InvariantCulture);
                        _promisedClones.Add(clone, asked[clone]);
                        break;
                    case ["delete", var number]:
                        _deleted.Add(int.Parse(number, CultureInfo.InvariantCulture));
                        break;
                    case ["opened"]:
                        break;
                    default:
                        Assert.True(Ledger.TryRead(line), $"the child says '{line}'");
                        break;
                }
            }
        }

        public void Verify()
        {
            using var volume = CowVolume.Open(path, new CowVolumeOptions { DirectIO = false });
            volume.AssertClean();
            for (var lineage = 0; lineage < KilledWriter.Files; lineage++)
            {
                var bytes = volume.ReadAll(volume.OpenFile(KilledWriter.NameOf(lineage)));
                for (var page = 0; page < KilledWriter.Pages; page++)
                {
                    var fault = Ledger.FaultOf(lineage, page, PageOf(bytes, page));
                    Assert.True(fault is null, fault);
                }
            }

            foreach (var (number, (lineage, versions)) in _promisedClones)
            {
                if (!volume.TryOpenFile($"snapshot {lineage} {number}", out var clone))
                {
                    Assert.True(_deleted.Contains(number), $"the clone {number} was durable, and is not there");
                    continue;
                }

                var bytes = volume.ReadAll(clone);
                for (var page = 0; page < KilledWriter.Pages; page++)
                {
                    var fault = versions[page] == 0
                        ? (PageOf(bytes, page).IndexOfAnyExcept((byte)0) < 0 ? null : $"page {page} should be zero")
                        : new PageTag(0, lineage, page, versions[page]).FaultOf(PageOf(bytes, page));
                    Assert.True(fault is null, $"clone {number}: {fault}");
                }

                ClonesChecked++;
            }
        }

        private static ReadOnlySpan<byte> PageOf(byte[] bytes, int page)
        {
            var start = Math.Min(page * KilledWriter.Page, bytes.Length);
            return bytes.AsSpan(start, Math.Min(KilledWriter.Page, bytes.Length - start));
        }
    }
}
