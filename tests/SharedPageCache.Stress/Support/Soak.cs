using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Xunit.Abstractions;

namespace SharedPageCache.Stress.Support;

/// <summary>
/// Seeds, time budgets and replays of the randomised tests. The environment decides:
/// <c>SPC_SEED</c> (decimal or 0x…) runs every round with that seed; <c>SPC_SOAK_SECONDS</c> is the time of all soak
/// tests together (default 3 s each), <c>SPC_SOAK_SHARE</c> that of each one; <c>SPC_SCALE</c> multiplies the counts of those that count (default 1);
/// <c>SPC_FIGURES</c> is a file to which each test appends what it did.
/// </summary>
internal static class Soak
{
    private const double DefaultSeconds = 3;

    /// <summary>The seed that the environment asks for, or null.</summary>
    public static ulong? FixedSeed => Seeds.Fixed;

    /// <summary>What to multiply counts by.</summary>
    public static double Scale { get; } = ParseNumber("SPC_SCALE") ?? 1;

    /// <summary>How long one soak test runs.</summary>
    public static TimeSpan Share { get; } =
        TimeSpan.FromSeconds(
        ParseNumber("SPC_SOAK_SHARE")
        ?? (ParseNumber("SPC_SOAK_SECONDS") is { } all ? all / CountSoakTests() : DefaultSeconds));

    /// <summary>A fresh seed, or the one that the environment asks for.</summary>
    public static ulong Seed() => Seeds.Next();

    public static int Scaled(int count) => (int)Math.Clamp(count * Scale, 1, int.MaxValue);

    /// <summary>The seeds of rounds until the time is over; at least one round.</summary>
    public static IEnumerable<ulong> Rounds(TimeSpan? budget = null)
    {
        var watch = Stopwatch.StartNew();
        do
        {
            yield return Seed();
        }
        while (watch.Elapsed < (budget ?? Share));
    }

    /// <summary>The command that runs a test again with a seed.</summary>
    public static string Replay(string test, ulong seed, string more = "") =>
        Seeds.Replay("tests/SharedPageCache.Stress", test, seed, more);

    /// <summary>Notes what a test has done, for the tables in the documentation.</summary>
    public static void Report(ITestOutputHelper output, string test, string figures)
    {
        output.WriteLine($"{test}: {figures}");
        if (Environment.GetEnvironmentVariable("SPC_FIGURES") is { Length: > 0 } file)
        {
            File.AppendAllText(file, $"{DateTime.UtcNow:O} {test}: {figures}{Environment.NewLine}");
        }
    }

    public static int? Override(string name) => (int?)ParseNumber(name);

    private static double? ParseNumber(string name) =>
        double.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : null;

    private static int CountSoakTests() => Math.Max(1, typeof(Soak).Assembly.GetTypes()
        .SelectMany(static type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance))
        .Where(static method => method.GetCustomAttributesData().Any(static attribute =>
            attribute.AttributeType == typeof(TraitAttribute)
            && attribute.ConstructorArguments is [{ Value: "Category" }, { Value: "Soak" }]))
        .Sum(static method => Math.Max(1, method.GetCustomAttributes<InlineDataAttribute>().Count())));
}
