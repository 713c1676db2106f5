namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What the whole run found.</summary>
/// <param name="Image">The image.</param>
/// <param name="Full">The leg in which every clone was read in full.</param>
/// <param name="Written">The leg in which every clone wrote.</param>
/// <param name="Reopened">The leg that opened the volume again.</param>
/// <param name="Half">The leg with memory for half of the image.</param>
internal sealed record StormFigures(
    ImageFigures Image, CloneFigures Full, WriteFigures Written, ReopenFigures Reopened, HalfFigures Half)
{
    /// <summary>Whether every byte that was read in any leg was compared and is right.</summary>
    public bool Verified => Full.Verified && Reopened.Verified && Half.Verified;
}
