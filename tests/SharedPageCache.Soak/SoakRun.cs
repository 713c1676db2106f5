using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using SharedPageCache.Soak.Legs;
using Spectre.Console;

namespace SharedPageCache.Soak;

/// <summary>Runs a plan, leg after leg, and says what came out.</summary>
internal static class SoakRun
{
    public const int BadUsage = 2;

    private const int Success = 0;
    private const int Failure = 1;
    private const int ReadableWidth = 120;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <returns>The exit code.</returns>
    public static int Run(SoakPlan plan, bool json)
    {
        var console = ConsoleOn(json ? Console.Error : Console.Out, json ? Console.IsErrorRedirected : Console.IsOutputRedirected);
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"soak: scale {plan.Scale}, seed 0x{plan.Seed:x}, {Environment.ProcessorCount} processors"));
        var reports = new List<(ISoakLeg Leg, LegReport Report)>();
        foreach (var (leg, budget) in plan.Legs)
        {
            console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{leg.Name}: up to {budget.Count:n0} {leg.Unit}, {budget.Time.TotalSeconds:n0} s"));
            var report = RunLeg(leg, budget, console);
            reports.Add((leg, report));
            console.WriteLine($"  {Words(report)}");
        }

        if (json)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(JsonOf(plan, reports), Indented));
        }
        else
        {
            Show(console, reports);
        }

        foreach (var (leg, report) in reports.Where(static pair => pair.Report.Failure is not null))
        {
            console.WriteLine();
            console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"FAILED: leg {leg.Name}, seed 0x{plan.Seed:x}"));
            console.WriteLine(report.Failure!);
            console.WriteLine($"replay: {report.Replay}");
        }

        return reports.Exists(static pair => pair.Report.Failure is not null) ? Failure : Success;
    }

    /// <summary>One history of the model again, with its steps in words.</summary>
    public static int Replay(string line)
    {
        var failure = ModelLeg.NewRun(threads: 1).Replay(line, Console.Out.WriteLine);
        Console.Out.WriteLine(failure ?? "no failure");
        return failure is null ? Success : Failure;
    }

    private static LegReport RunLeg(ISoakLeg leg, LegBudget budget, IAnsiConsole console)
    {
        var watch = Stopwatch.StartNew();
        var told = TimeSpan.Zero;
        void Tell(string words)
        {
            if (watch.Elapsed - told > TimeSpan.FromSeconds(30))
            {
                told = watch.Elapsed;
                console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {told.TotalSeconds:n0} s: {words}"));
            }
        }

        LegReport report;
        try
        {
            report = leg.Run(budget, Tell);
        }
        catch (Exception error)
        {
            report = new LegReport([], error.ToString(), leg.Command(budget));
        }

        return report with { Seconds = watch.Elapsed.TotalSeconds };
    }

    private static void Show(IAnsiConsole console, List<(ISoakLeg Leg, LegReport Report)> reports)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("leg", "what was tried", "seconds", "result");
        foreach (var (leg, report) in reports)
        {
            table.AddRow(
                new Text(leg.Name), new Text(Words(report)),
                new Text(report.Seconds.ToString("n0", CultureInfo.InvariantCulture)), new Text(report.Failure is null ? "nothing wrong" : "FAILED"));
        }

        console.Write(table);
    }

    private static string Words(LegReport report) => report.Counts.Count == 0 ? "nothing" : string.Join(
        ", ", report.Counts.Select(static count => string.Create(CultureInfo.InvariantCulture, $"{count.Value:n0} {count.Key}")));

    private static object JsonOf(SoakPlan plan, List<(ISoakLeg Leg, LegReport Report)> reports) => new
    {
        scale = plan.Scale,
        seed = string.Create(CultureInfo.InvariantCulture, $"0x{plan.Seed:x}"),
        failed = reports.Count(static pair => pair.Report.Failure is not null),
        legs = reports.ToDictionary(
            static pair => pair.Leg.Name,
            static pair => new
            {
                seconds = Math.Round(pair.Report.Seconds, 1),
                counts = pair.Report.Counts.ToDictionary(static count => count.Key.Replace(' ', '_'), static count => count.Value),
                failure = pair.Report.Failure,
                replay = pair.Report.Failure is null ? null : pair.Report.Replay,
            }),
    };

    private static IAnsiConsole ConsoleOn(TextWriter writer, bool redirected)
    {
        var settings = new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) };
        if (redirected)
        {
            settings.Ansi = AnsiSupport.No;
            settings.ColorSystem = ColorSystemSupport.NoColors;
            settings.Interactive = InteractionSupport.No;
        }

        var console = AnsiConsole.Create(settings);
        console.Profile.Width = redirected ? ReadableWidth : console.Profile.Width;
        return console;
    }
}
