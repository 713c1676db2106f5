namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What <see cref="ReopenLeg"/> found. All sizes are in bytes.</summary>
/// <param name="Files">The files that the volume has.</param>
/// <param name="LogicalBytes">What all of them show together.</param>
/// <param name="ContentBytes">The blocks that they show, each counted once, by the engine's own count.</param>
/// <param name="RightBytes">The bytes that were read and are right.</param>
/// <param name="HasAllFiles">Whether these are the files that there must be, no more and no fewer.</param>
/// <param name="IsSound">Whether the engine, which has read all its metadata and counted again, found nothing wrong.</param>
/// <param name="ReadTime">How long all files took to read.</param>
internal sealed record ReopenFigures(
    int Files,
    long LogicalBytes,
    long ContentBytes,
    long RightBytes,
    bool HasAllFiles,
    bool IsSound,
    TimeSpan ReadTime)
{
    /// <summary>Whether every byte of every file was compared and is right.</summary>
    public bool Verified => RightBytes == LogicalBytes && HasAllFiles && IsSound;
}
