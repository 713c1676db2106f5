namespace SharedPageCache.HitRate;

/// <summary>Hit ratios of one policy on the clones of one trace, 0 to 1.</summary>
/// <param name="Row">The trace that each clone follows, and the size of the cache.</param>
/// <param name="Policy">The policy.</param>
/// <param name="Shared">Clones as they are.</param>
/// <param name="SharedWeighed">Clones as they are, and sharers weigh by doublings.</param>
/// <param name="PerFile">Each clone with all its blocks to itself.</param>
internal sealed record CloneMeasurement(ReferenceRow Row, ReplayedPolicy Policy, double Shared, double SharedWeighed, double PerFile);
