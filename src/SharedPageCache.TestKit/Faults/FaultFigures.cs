using System.Globalization;

namespace SharedPageCache.TestKit.Faults;

/// <summary>What an enumeration of faults has tried.</summary>
/// <param name="Scenarios">Scenarios, each in each of its variants.</param>
/// <param name="Runs">Runs of them, those without a fault included.</param>
/// <param name="FaultyRuns">Runs in which at least one fault struck.</param>
/// <param name="Faults">Faults that struck; a fault for ever counts as often as it did.</param>
public readonly record struct FaultFigures(long Scenarios, long Runs, long FaultyRuns, long Faults)
{
    /// <summary>The figures of two enumerations together.</summary>
    /// <param name="one">One.</param>
    /// <param name="other">The other.</param>
    public static FaultFigures operator +(FaultFigures one, FaultFigures other) => new(
        one.Scenarios + other.Scenarios, one.Runs + other.Runs, one.FaultyRuns + other.FaultyRuns, one.Faults + other.Faults);

    /// <summary>Adds another one's figures.</summary>
    /// <param name="other">The other.</param>
    /// <returns>The sum.</returns>
    public FaultFigures Add(FaultFigures other) => this + other;

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Scenarios:N0} scenarios, {Runs:N0} runs, {FaultyRuns:N0} of them with a fault, {Faults:N0} faults");
}
