namespace SharedPageCache.Samples.CloneStorm;

/// <summary>How one cache did over an <see cref="AccessPattern"/>.</summary>
/// <param name="BlocksAsked">The number of blocks that the reads asked for.</param>
/// <param name="DeviceBlocksRead">The number of blocks that came from the device for it, counted at the device.</param>
/// <param name="Time">How long it took.</param>
/// <param name="Verified">Whether every byte was compared and is right.</param>
internal sealed record CacheFigures(long BlocksAsked, long DeviceBlocksRead, TimeSpan Time, bool Verified)
{
    /// <summary>
    /// The part of the blocks asked for that cost no device read. Blocks read ahead in vain count against it.
    /// </summary>
    public double HitRatio => 1 - ((double)DeviceBlocksRead / BlocksAsked);
}
