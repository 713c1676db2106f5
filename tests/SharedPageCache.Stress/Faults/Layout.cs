namespace SharedPageCache.Stress.Faults;

/// <summary>The engine under a scenario.</summary>
internal enum EngineKind
{
    /// <summary>A map of pages that gives dirty pages new blocks.</summary>
    Elsewhere,

    /// <summary>The same, and it writes in place what only one file shows.</summary>
    InPlace,

    /// <summary>The example engine: its own metadata lie on the device and fail too.</summary>
    CowVolume,
}

/// <summary>
/// The cache and the engine in which scenarios are played. Only an engine that places anew is sealed: where a device fails over a
/// block that is shown, seal and block are not of one moment, and who writes in place has to live with that.
/// </summary>
internal sealed record Layout(
    EngineKind Engine, int PageSize, bool IsAsync, EvictionPolicy Policy = EvictionPolicy.S3Fifo, int Frames = 256, bool IsSealed = false)
{
    public override string ToString() =>
        $"{Engine}, pages of {PageSize}, {Frames} frames, {Policy}, {(IsAsync ? "awaiting" : "blocking")}{(IsSealed ? ", sealed" : "")}";
}
