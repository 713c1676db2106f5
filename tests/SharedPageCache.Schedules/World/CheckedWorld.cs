using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <summary>Whether the caches that this thread makes are in checked mode: asked for by a test, or by SPC_CHECKED=1 for all.</summary>
internal static class CheckedWorld
{
    private static readonly bool ForAll = Environment.GetEnvironmentVariable("SPC_CHECKED") == "1";

    [ThreadStatic]
    private static bool t_isOn;

    public static bool IsOn => ForAll || t_isOn;

    /// <summary>A scenario over caches in checked mode.</summary>
    public static Scenario Of(Scenario scenario) => scenario with
    {
        Make = seed =>
        {
            t_isOn = true;
            try
            {
                return scenario.Make(seed);
            }
            finally
            {
                t_isOn = false;
            }
        },
    };
}
