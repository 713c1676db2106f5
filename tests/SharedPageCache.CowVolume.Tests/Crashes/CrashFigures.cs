using System.Globalization;

namespace SharedPageCache.Cow.Tests.Crashes;

/// <summary>What was tried of crashes.</summary>
/// <param name="Runs">Workloads.</param>
/// <param name="Moments">Moments in them at which the power went: each flush of the device, with all that was written since the last.</param>
/// <param name="Whole">Moments of which every state of the unflushed sectors was tried; the others were sampled.</param>
/// <param name="Points">States that were opened, checked and compared.</param>
public readonly record struct CrashFigures(long Runs, long Moments, long Whole, long Points)
{
    public static CrashFigures operator +(CrashFigures one, CrashFigures other) =>
        new(one.Runs + other.Runs, one.Moments + other.Moments, one.Whole + other.Whole, one.Points + other.Points);

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Runs:N0} workloads, {Moments:N0} moments, {Whole:N0} of them with every state, {Points:N0} crash points");
}
