namespace SharedPageCache.HitRate;

/// <summary>One replay beside its reference.</summary>
/// <param name="Row">The trace, the size and the ratios of others.</param>
/// <param name="Policy">The policy that was replayed.</param>
/// <param name="HitRatio">The ratio that it reached, 0 to 1.</param>
internal sealed record Measurement(ReferenceRow Row, ReplayedPolicy Policy, double HitRatio)
{
    /// <summary>The ratio of the same algorithm in the reference table.</summary>
    public double Reference => Row.Ratios[Policy.Column];

    /// <summary>Ours minus the reference, in points of 1 %.</summary>
    public double DifferencePoints => (HitRatio - Reference) * 100;

    /// <summary>The ratio of the row's best online policy minus ours, in points of 1 %.</summary>
    public double RegretPoints => (Row.BestOnline - HitRatio) * 100;
}
