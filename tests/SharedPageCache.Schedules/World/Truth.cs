namespace SharedPageCache.Schedules.World;

/// <summary>What a sector of a file may show, from when to when.</summary>
/// <param name="Place">The sector of the device that held it.</param>
/// <param name="Held">What it held.</param>
/// <param name="From">When the engine made it true.</param>
/// <param name="Until">When the cache had been told that it is over.</param>
internal readonly record struct Truth(long Place, Sector Held, long From, long Until = long.MaxValue)
{
    public Truth EndAt(long now) => this with { Until = Math.Min(Until, now) };

    public override string ToString() => $"{Held} at {Place} [{From}, {(Until == long.MaxValue ? "" : Until)}]";
}
