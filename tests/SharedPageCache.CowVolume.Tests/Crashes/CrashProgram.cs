namespace SharedPageCache.Cow.Tests.Crashes;

/// <summary>A workload to be run with crashes.</summary>
/// <param name="IsCached">Through a cache, or on the volume itself.</param>
/// <param name="Steps">The operations; none for a long history.</param>
/// <param name="Commits">After which operations everything is made durable, a bit for each; after the last one it always is.</param>
/// <param name="Seed">Decides which states are tried, and the long history.</param>
internal sealed record CrashProgram(bool IsCached, int[] Steps, int Commits, int Seed)
{
    public override string ToString() =>
        $"new CrashProgram({(IsCached ? "true" : "false")}, [{string.Join(", ", Steps)}], {Commits}, {Seed})";
}
