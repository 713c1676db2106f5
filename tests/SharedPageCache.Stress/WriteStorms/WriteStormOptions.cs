using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress.WriteStorms;

/// <summary>One round of the storm of writers, all of it from a seed.</summary>
internal sealed record WriteStormOptions(ulong Seed, int Milliseconds)
{
    public int PageSize { get; private init; }

    public int Frames { get; private init; }

    public int Threads { get; private init; }

    public int Files { get; private init; }

    /// <summary>The most pages of a file, the records included.</summary>
    public int Pages { get; private init; }

    public bool InPlace { get; private init; }

    public bool WritesInBackground { get; private init; }

    public bool ChangesShape { get; private init; }

    public bool Fails { get; private init; }

    /// <summary>One device call in so many is slow.</summary>
    public int StallsOneIn { get; private init; }

    public EvictionPolicy Policy { get; private init; }

    public static WriteStormOptions Of(ulong seed, int milliseconds, bool fails)
    {
        var dice = new Dice(seed);
        return new WriteStormOptions(seed, milliseconds)
        {
            PageSize = 512 << dice.Below(4),
            Frames = dice.OneIn(2) ? dice.From(4, 24) : dice.From(25, 96),
            Threads = dice.From(4, 8),
            Files = dice.From(2, 8),
            Pages = dice.Pick(12, 24, 48, 600),
            InPlace = dice.OneIn(3),
            WritesInBackground = dice.OneIn(2),
            ChangesShape = !dice.OneIn(4),
            Fails = fails,
            StallsOneIn = dice.Pick(3, 30, 1000),
            Policy = dice.OneIn(2) ? EvictionPolicy.Clock : EvictionPolicy.S3Fifo,
        };
    }
}
