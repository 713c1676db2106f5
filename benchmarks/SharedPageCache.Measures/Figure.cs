namespace SharedPageCache.Measures;

/// <summary>One figure of a table.</summary>
/// <param name="Section">The table.</param>
/// <param name="What">What was measured.</param>
/// <param name="Subject">Of whom.</param>
/// <param name="Value">The figure.</param>
/// <param name="Unit">Its unit; "x" for a ratio.</param>
/// <param name="Bar">What it is to reach, if anything.</param>
/// <param name="Detail">What it was made from, in words.</param>
public sealed record Figure(
    string Section, string What, string Subject, double Value, string Unit, Bar? Bar = null, string Detail = "");

/// <summary>What a figure is to reach.</summary>
/// <param name="Limit">The limit.</param>
/// <param name="IsLeast">Whether it is the least that is wanted; else it is the most that is allowed.</param>
public sealed record Bar(double Limit, bool IsLeast = false)
{
    /// <summary>Whether a figure reaches it.</summary>
    public bool IsMetBy(double value) => IsLeast ? value >= Limit : value <= Limit;

    /// <inheritdoc/>
    public override string ToString() => $"{(IsLeast ? ">=" : "<=")} {Limit:0.###}";
}
