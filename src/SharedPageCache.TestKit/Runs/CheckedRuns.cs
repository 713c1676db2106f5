namespace SharedPageCache.TestKit.Runs;

/// <summary>
/// Which rounds of a randomised test run in checked mode: the environment variable <c>SPC_CHECKED</c> says all (1) or none
/// (0); else the seed says, one in ten, so that a replay is as its original.
/// </summary>
public static class CheckedRuns
{
    /// <summary>The variable that decides for all.</summary>
    public const string Variable = "SPC_CHECKED";

    private static readonly bool? ForAll = Environment.GetEnvironmentVariable(Variable) switch
    {
        "1" => true,
        "0" => false,
        _ => null,
    };

    /// <summary>The variable as a replay needs it; empty if it is not set.</summary>
    internal static string InShell => ForAll is { } all ? $"{Variable}={(all ? 1 : 0)} " : "";

    /// <summary>Whether the round with a seed runs in checked mode.</summary>
    /// <param name="seed">The seed of the round.</param>
    /// <returns>Whether it does.</returns>
    public static bool Has(ulong seed) => ForAll ?? Dice.Mix(seed, 0xC4EC) % 10 == 0;
}
