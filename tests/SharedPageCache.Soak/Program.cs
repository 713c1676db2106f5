using System.CommandLine;
using SharedPageCache.Soak;
using SharedPageCache.Soak.Legs;
using SharedPageCache.TestKit.Runs;

var scale = new Option<string>("--scale")
{
    Description = "ci: what fits the project's CI; release: the figures of docs/reliability.md; a number: so many times ci.",
    DefaultValueFactory = static _ => "ci",
};
var seconds = new Option<double?>("--seconds") { Description = "The most seconds for all legs together; each leg has its part." };
var operations = new Option<long?>("--count") { Description = "How many operations, schedules, faults ... each leg tries, whatever the scale says." };
var legs = new Option<string>("--legs")
{
    Description = $"Which legs run, of {string.Join(',', SoakLegs.Names)}. Default all.",
    DefaultValueFactory = static _ => string.Join(',', SoakLegs.Names),
};
var seed = new Option<string?>("--seed") { Description = "The seed of all that is random; decimal or 0x... Default fresh, and printed." };
var threads = new Option<int?>("--threads") { Description = "How many threads a leg uses. Default one for each processor." };
var replay = new Option<string?>("--replay") { Description = "Runs one history of the model again: 0xSEED, or 0xSEED:STEPS as a failure prints it." };
var json = new Option<bool>("--json") { Description = "Prints one JSON object on standard output, and nothing else." };

var command = new RootCommand("Tries to break the cache: all kinds of randomised and exhaustive tests of the project, bounded by counts and time.")
{
    scale, seconds, operations, legs, seed, threads, replay, json,
};
command.SetAction(parsed =>
{
    try
    {
        if (parsed.GetValue(replay) is { } line)
        {
            return SoakRun.Replay(line);
        }

        var plan = SoakPlan.Of(
            parsed.GetValue(scale)!, parsed.GetValue(legs)!, parsed.GetValue(seconds), parsed.GetValue(operations),
            Seeds.Parse(parsed.GetValue(seed)) ?? Seeds.Next(), parsed.GetValue(threads) ?? Environment.ProcessorCount);
        return SoakRun.Run(plan, parsed.GetValue(json));
    }
    catch (FormatException wrong)
    {
        Console.Error.WriteLine($"soak: {wrong.Message} (--help lists the options)");
        return SoakRun.BadUsage;
    }
});
return command.Parse(args).Invoke();
