extern alias stress;

using SharedPageCache.TestKit.Runs;
using stress::SharedPageCache.Stress;
using stress::SharedPageCache.Stress.Storms;
using stress::SharedPageCache.Stress.WriteStorms;

namespace SharedPageCache.Soak.Legs;

/// <summary>Free-running threads on few frames, with tagged words (T4). A storm has threads of its own: one is run at a time.</summary>
internal sealed class StormsLeg : ISoakLeg
{
    private const int Milliseconds = 400;

    private static readonly (string Test, Action<ulong, LegTally> Run)[] Kinds =
    [
        (nameof(StormTests.Clones_of_clones_read_right_under_constant_eviction), static (seed, tally) => Read(StormKind.Still, seed, tally)),
        (nameof(WriteStormTests.Writers_of_the_same_pages_clones_cuts_and_flushes_agree), static (seed, tally) => Write(fails: false, seed, tally)),
        (nameof(StormTests.Blocks_that_are_freed_reused_and_moved_never_show_old_or_foreign_bytes), static (seed, tally) => Read(StormKind.Engine, seed, tally)),
        (nameof(WriteStormTests.Writes_that_fail_for_a_while_lose_nothing), static (seed, tally) => Write(fails: true, seed, tally)),
        (nameof(StormTests.Failures_and_reuse_of_blocks_together_show_no_wrong_byte), static (seed, tally) => Read(StormKind.Faults | StormKind.Engine, seed, tally)),
        (nameof(StormTests.Disposing_in_the_middle_of_everything_ends_it_in_order), static (seed, tally) => Read(StormKind.Dispose | StormKind.Engine, seed, tally)),
        (nameof(StormTests.Whatever_readers_say_and_sharers_weigh_no_byte_is_wrong),
            static (seed, tally) => Read(StormKind.Hints | StormKind.Faults | StormKind.Engine, seed, tally)),
    ];

    public string Name => "storms";

    public string Unit => "rounds";

    public LegBudget Ci => LegBudget.Of(1000, 12);

    public LegBudget Release => LegBudget.Of(long.MaxValue, 7200);

    public LegReport Run(LegBudget budget, Action<string> tell)
    {
        var tally = new LegTally(budget with { Threads = 1 }, Unit);
        return tally.Run(
            (number, seed) => Kinds[number % Kinds.Length].Run(seed, tally),
            tell,
            static (number, seed) => Seeds.Replay("tests/SharedPageCache.Stress", Kinds[number % Kinds.Length].Test, seed));
    }

    private static void Read(StormKind kind, ulong seed, LegTally tally)
    {
        var storm = new Storm(StormOptions.Of(kind, seed, (kind & StormKind.Dispose) != 0 ? Milliseconds / 4 : Milliseconds));
        storm.Run();
        tally.Add("rounds", 1);
        tally.Add("operations", storm.Operations);
        tally.Add("words checked", storm.WordsChecked);
        tally.Add("evictions", storm.Evictions);
        tally.Add("faults", storm.FaultsInjected);
    }

    private static void Write(bool fails, ulong seed, LegTally tally)
    {
        var storm = new WriteStorm(WriteStormOptions.Of(seed, Milliseconds, fails));
        storm.Run();
        tally.Add("rounds", 1);
        tally.Add("operations", storm.Operations);
        tally.Add("words checked", storm.WordsChecked);
    }
}
