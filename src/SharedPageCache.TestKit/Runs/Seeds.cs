using System.Diagnostics;
using System.Globalization;

namespace SharedPageCache.TestKit.Runs;

/// <summary>
/// Seeds of randomised tests, and how one is run again: the environment variable <c>SPC_SEED</c> (decimal or 0x…) gives
/// the seed, else it is fresh. A test prints <see cref="Replay"/> when it fails.
/// </summary>
public static class Seeds
{
    /// <summary>The variable that fixes the seed.</summary>
    public const string Variable = "SPC_SEED";

    /// <summary>The seed that the environment asks for, or null.</summary>
    public static ulong? Fixed { get; } = Parse(Environment.GetEnvironmentVariable(Variable));

    /// <summary>A fresh seed, or the one that the environment asks for.</summary>
    /// <returns>The seed, below 2^48.</returns>
    public static ulong Next() => Fixed ?? Dice.Mix((ulong)Stopwatch.GetTimestamp(), (ulong)Environment.ProcessId) >> 16;

    /// <summary>
    /// The command that runs a test again with a seed: one line for a shell. With <see cref="CheckedRuns.Variable"/>, if that is set.
    /// </summary>
    /// <param name="project">The test project, as <c>dotnet test</c> takes it.</param>
    /// <param name="test">The test's name, or a part of it.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="more">Other variables, each followed by a blank.</param>
    /// <returns>The line.</returns>
    public static string Replay(string project, string test, ulong seed, string more = "") =>
        $"{Variable}=0x{seed:x} {CheckedRuns.InShell}{more}dotnet test {project} --filter \"FullyQualifiedName~{test}\"";

    /// <summary>A seed in words.</summary>
    /// <param name="text">Decimal, or hexadecimal after 0x; null or blank for none.</param>
    /// <returns>The seed, or null if there is none.</returns>
    /// <exception cref="FormatException">The text is no number.</exception>
    public static ulong? Parse(string? text) =>
        string.IsNullOrWhiteSpace(text) ? null
        : text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : ulong.Parse(text, CultureInfo.InvariantCulture);
}
