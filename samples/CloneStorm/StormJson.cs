using System.Text.Json;
using System.Text.Json.Serialization;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// The figures that <c>--json</c> prints. Names and meanings are a contract with scripts. Sizes are in bytes.
/// </summary>
internal sealed partial record StormJson(
    long SourceBytes,
    int Clones,
    long LogicalBytes,
    long DistinctBlocks,
    int BlockSize,
    long ResidentBytes,
    long MetadataBytes,
    long SavedBytes,
    long DeviceBlocksRead,
    double CloneNsMedian,
    long CloneAllocBytes,
    long DirtyPages,
    long DeviceBlocksWritten,
    long CowCopies,
    int ClonesWhileDirty,
    double FlushSeconds,
    bool ReopenedVerified,
    bool Verified,
    StormJson.HalfObject Half)
{
    /// <summary>Collects the figures of a run.</summary>
    /// <param name="options">What was asked for.</param>
    /// <param name="figures">What was found.</param>
    public static StormJson Of(StormOptions options, StormFigures figures) => new(
        figures.Image.SourceBytes,
        options.Clones,
        figures.Full.LogicalBytes,
        figures.Full.DistinctBlocks,
        options.PageSize,
        figures.Full.ResidentBytes,
        figures.Full.MetadataBytes,
        figures.Full.SavedBytes,
        figures.Full.DeviceBlocksRead,
        figures.Full.CloneCost.NanosecondsMedian,
        figures.Full.CloneCost.AllocatedBytes,
        figures.Written.DirtyPages,
        figures.Written.DeviceBlocksWritten,
        figures.Written.CowCopies,
        figures.Written.ClonesWhileDirty,
        Math.Round(figures.Written.FlushTime.TotalSeconds, 6),
        figures.Reopened.Verified,
        figures.Verified,
        new HalfObject(CacheObject.Of(figures.Half.Shared), CacheObject.Of(figures.Half.PerFileLru)));

    /// <summary>One JSON object on several lines.</summary>
    public override string ToString() => JsonSerializer.Serialize(this, Shape.Default.StormJson);

    /// <summary>The figures of the leg with half of the memory.</summary>
    internal sealed record HalfObject(CacheObject Shared, CacheObject PerFileLru);

    /// <summary>The figures of one cache in that leg.</summary>
    internal sealed record CacheObject(double HitRatio, long DeviceBlocksRead)
    {
        /// <summary>Takes the figures over.</summary>
        /// <param name="figures">The cache's figures.</param>
        public static CacheObject Of(CacheFigures figures) =>
            new(Math.Round(figures.HitRatio, 6), figures.DeviceBlocksRead);
    }

    [JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
    [JsonSerializable(typeof(StormJson))]
    private sealed partial class Shape : JsonSerializerContext;
}
