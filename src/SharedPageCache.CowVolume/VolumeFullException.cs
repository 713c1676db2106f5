namespace SharedPageCache.Cow;

/// <summary>The volume has no room for what was asked. Nothing was placed or changed.</summary>
public sealed class VolumeFullException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="neededBlocks">How many blocks were asked for.</param>
    /// <param name="freeBlocks">How many are free, those kept for metadata among them.</param>
    /// <param name="purpose">What they were for, as a part of a sentence.</param>
    public VolumeFullException(long neededBlocks, long freeBlocks, string purpose)
        : base($"The volume has no room for {neededBlocks} blocks for {purpose}: {freeBlocks} are free, a part of which is kept for metadata.")
    {
        NeededBlocks = neededBlocks;
        FreeBlocks = freeBlocks;
    }

    /// <summary>How many blocks were asked for.</summary>
    public long NeededBlocks { get; }

    /// <summary>How many are free, those kept for metadata among them.</summary>
    public long FreeBlocks { get; }
}
