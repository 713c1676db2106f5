extern alias sqlite;

using sqlite::SharedPageCache.Sqlite.Tests;

namespace SharedPageCache.Soak.Legs;

/// <summary>SQLite databases and their branches on the cache: the power goes at any write, and any call of the device fails.</summary>
internal sealed class SqliteLeg : ISoakLeg
{
    private static readonly string[] Modes = ["DELETE", "WAL", "TRUNCATE", "PERSIST"];

    public string Name => "sqlite";

    public string Unit => "writes and flushes";

    public LegBudget Ci => LegBudget.Of(400, 10);

    public LegBudget Release => LegBudget.Of(20_000, 1800);

    public LegReport Run(LegBudget budget, Action<string> tell)
    {
        // The native library is one for the process: one run at a time, as in its tests.
        var tally = new LegTally(budget with { Threads = 1 }, Unit);
        return tally.Run(
            (number, _) =>
            {
                var mode = Modes[number / 2 % Modes.Length];
                if (number % 2 == 0)
                {
                    new CrashTests(tally.Listener()).The_power_goes_at_any_write(mode);
                }
                else if (mode != "PERSIST")
                {
                    new FaultTests(tally.Listener()).Every_call_of_the_device_fails(mode, once: number / 8 % 2 == 0);
                }

                tally.Add("runs", 1);
            },
            tell,
            static (_, _) => "dotnet test tests/SharedPageCache.Sqlite.Tests, with the seed of the message");
    }
}
