using SharedPageCache.TestKit.Runs;

namespace SharedPageCache.TestKit.Models;

/// <summary>How large everything is in one history of a <see cref="FileModel"/>. All of it follows from the seed.</summary>
/// <param name="Seed">The seed.</param>
public sealed record ModelShape(ulong Seed)
{
    /// <summary>The page size in bytes, 512 to 65,536; small ones are more frequent.</summary>
    public int PageSize { get; init; }

    /// <summary>The frames of the cache: half of the caches have 3 to 16.</summary>
    public int Frames { get; init; }

    /// <summary>The most files at a time, 2 to 8.</summary>
    public int MostFiles { get; init; }

    /// <summary>The most pages of a file: 1 to 32, and sometimes more than two windows of 512.</summary>
    public int MostPages { get; init; }

    /// <summary>How many operations there are.</summary>
    public int Steps { get; init; }

    /// <summary>The eviction policy.</summary>
    public EvictionPolicy Policy { get; init; }

    /// <summary>Whether dirty pages are written back in the background, too. Then a history is not the same again in every detail.</summary>
    public bool WritesInBackground { get; init; }

    /// <summary>Whether device and engine go on on other threads. Then a history is not the same again in every detail.</summary>
    public bool Yields { get; init; }

    /// <summary>Whether files are sealed, and snapshots made.</summary>
    public bool Seals { get; init; }

    /// <summary>The length that no file exceeds, in bytes.</summary>
    public int LongestFile => MostPages * PageSize;

    /// <summary>The pages that leases may hold together.</summary>
    public int MostLeases => Math.Max(1, (Frames - ReserveOf(Frames)) / 2);

    /// <summary>The pages that may be dirty together, if a cache is told so, or if its options say nothing.</summary>
    public int MostDirty => Math.Max(1, (Frames - ReserveOf(Frames)) * 2 / 5);

    /// <summary>The shape that a seed gives.</summary>
    /// <param name="seed">The seed.</param>
    /// <returns>The shape.</returns>
    public static ModelShape Of(ulong seed)
    {
        var dice = new Dice(Dice.Mix(seed, ulong.MaxValue - 1));
        var pageSize = dice.Pick(512, 512, 512, 512, 1024, 1024, 2048, 4096, dice.Pick(1024, 2048, 4096, 8192, 16_384, 32_768, 65_536));
        var mostPages = pageSize <= 1024 && dice.OneIn(12) ? 1100 : dice.From(1, pageSize <= 4096 || dice.OneIn(4) ? 32 : 8);
        return new ModelShape(seed)
        {
            PageSize = pageSize,
            MostPages = mostPages,
            Frames = dice.OneIn(2) ? dice.From(3, 16) : dice.From(17, 128),
            MostFiles = dice.From(2, 8),
            Steps = 8192,
            Policy = dice.Pick<EvictionPolicy>(Enum.GetValues<EvictionPolicy>()),
            WritesInBackground = dice.OneIn(4),
            Yields = dice.OneIn(8),

            // One of four has none, and which ones is chosen so that a history that is kept as a regression is still the same.
            Seals = dice.Below(4) != 2,
        };
    }

    /// <summary>The frames that a cache keeps for reads around it.</summary>
    /// <param name="frames">All its frames.</param>
    /// <returns>How many.</returns>
    public static int ReserveOf(int frames) => frames < 16 ? 1 : Math.Max(4, frames / 64);
}
