using SharedPageCache.Cow.Space;

namespace SharedPageCache.Cow.Tests;

/// <summary>The set of runs beside an array of bits.</summary>
public sealed class RunSetTests
{
    [Fact]
    public void A_set_of_runs_is_a_set_of_blocks()
    {
        const int Blocks = 200;
        var random = new Random(11);
        var set = new RunSet();
        var model = new bool[Blocks];
        for (var i = 0; i < 4000; i++)
        {
            var start = random.Next(Blocks);
            var run = new Run(start, 1 + random.Next(Math.Min(12, Blocks - start)));
            var bits = model.AsSpan((int)run.Start, (int)run.Count);
            Assert.Equal(!bits.Contains(false), set.Contains(run));
            if (!bits.Contains(true))
            {
                set.Add(run);
                bits.Fill(true);
            }
            else
            {
                Assert.Throws<InvalidOperationException>(() => set.Add(run));
                if (!bits.Contains(false))
                {
                    set.Remove(run);
                    bits.Clear();
                }
                else
                {
                    Assert.Throws<InvalidOperationException>(() => set.Remove(run));
                }
            }

            var runs = Runs(model);
            Assert.Equal(runs, set.Runs);
            Assert.Equal(runs.Sum(known => known.Count), set.Blocks);
            Assert.Equal(runs.OrderByDescending(known => (known.Count, known.Start)), set.LongestFirst);
            var at = random.Next(Blocks);
            Assert.Equal(runs.Where(known => known.End > at).Cast<Run?>().FirstOrDefault(), set.AtOrAfter(at));
            var length = random.Next(1, 15);
            Assert.Equal(
                runs.Where(known => known.Count >= length).OrderBy(known => (known.Count, known.Start)).Cast<Run?>().FirstOrDefault(),
                set.Fitting(length));
        }
    }

    private static List<Run> Runs(bool[] model)
    {
        var runs = new List<Run>();
        for (var i = 0; i < model.Length; i++)
        {
            if (model[i] && runs.Count > 0 && runs[^1].End == i)
            {
                runs[^1] = runs[^1] with { Count = runs[^1].Count + 1 };
            }
            else if (model[i])
            {
                runs.Add(new Run(i, 1));
            }
        }

        return runs;
    }
}
