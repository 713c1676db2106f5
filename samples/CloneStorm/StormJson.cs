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
    bool Verified,
    StormJson.HalfObject Half)
{
    /// <summary>Collects the figures of a run.</summary>
    /// <param name="image">The image.</param>
    /// <param name="options">What was asked for.</param>
    /// <param name="full">The figures of the first leg.</param>
    /// <param name="half">The figures of the second leg.</param>
    public static StormJson Of(GoldenImage image, StormOptions options, CloneFigures full, HalfFigures half) => new(
        image.SourceBytes,
        options.Clones,
        full.LogicalBytes,
        full.DistinctBlocks,
        options.PageSize,
        full.ResidentBytes,
        full.MetadataBytes,
        full.SavedBytes,
        full.DeviceBlocksRead,
        full.CloneCost.NanosecondsMedian,
        full.CloneCost.AllocatedBytes,
        full.Verified && half.Verified,
        new HalfObject(CacheObject.Of(half.Shared), CacheObject.Of(half.PerFileLru)));

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
