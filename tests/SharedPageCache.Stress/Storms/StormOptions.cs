using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress.Storms;

/// <summary>What a storm does beside reading.</summary>
[Flags]
internal enum StormKind
{
    /// <summary>Nothing changes: clones and strangers of fixed files.</summary>
    Still = 0,

    /// <summary>An engine remaps, frees, reuses, overwrites and relocates blocks.</summary>
    Engine = 1,

    /// <summary>The device fails, stalls and reads short; the extent map throws, lies and changes.</summary>
    Faults = 2,

    /// <summary>Volume and cache are disposed in the middle of it.</summary>
    Dispose = 4,

    /// <summary>Every policy, sharers that weigh, reads with hints, and files that say what they are done with.</summary>
    Hints = 8,
}

/// <summary>All that a seed decides about one round.</summary>
internal sealed record StormOptions
{
    public required ulong Seed { get; init; }

    public required StormKind Kind { get; init; }

    public required EvictionPolicy Policy { get; init; }

    public required SharerWeight Weight { get; init; }

    public required int PageSize { get; init; }

    public required int BlockSize { get; init; }

    public required int Frames { get; init; }

    public required int Workers { get; init; }

    public required int Volumes { get; init; }

    public required int Slots { get; init; }

    public required int ReadAhead { get; init; }

    /// <summary>Units (blocks) of one file, holes in front and behind left out.</summary>
    public required int FileUnits { get; init; }

    public required int BlocksOnDevice { get; init; }

    public required bool EngineGenerations { get; init; }

    /// <summary>Frames begin shortly before their generations are used up.</summary>
    public required bool OldFrames { get; init; }

    /// <summary>Out of a thousand device calls, how many do not complete at once.</summary>
    public required int SlowPerMille { get; init; }

    public required int EnginePause { get; init; }

    /// <summary>Files are cloned between the steps of the engine, never in the middle of one.</summary>
    public required bool QuietClones { get; init; }

    public required int Milliseconds { get; init; }

    public bool HasEngine => (Kind & StormKind.Engine) != 0;

    public bool HasHints => (Kind & StormKind.Hints) != 0;

    public bool HasFaults => (Kind & StormKind.Faults) != 0;

    public static StormOptions Of(StormKind kind, ulong seed, int milliseconds)
    {
        var dice = new Dice(seed);
        var page = Soak.Override("SPC_PAGE") ?? 512 << dice.Below(8);
        var block = Soak.Override("SPC_BLOCK") ?? (dice.OneIn(2) ? page : 512 << dice.Below(8));
        var frames = Soak.Override("SPC_FRAMES") ?? dice.From(16, 64);
        var arena = (long)frames * page;

        // Each file alone is larger than the arena; the device holds a few files.
        var units = (int)Math.Clamp(arena * dice.From(2, 5) / block, 8, 3000);
        var policy = Soak.Override("SPC_POLICY") ?? dice.Below(2);
        var hasHints = (kind & StormKind.Hints) != 0;
        return new StormOptions
        {
            Seed = seed,
            Kind = kind,
            Policy = hasHints ? (EvictionPolicy)(seed % (ulong)Enum.GetValues<EvictionPolicy>().Length) : (EvictionPolicy)policy,
            Weight = hasHints ? SharerWeight.Doublings : SharerWeight.None,
            PageSize = page,
            BlockSize = block,
            Frames = frames,
            Workers = Soak.Override("SPC_THREADS") ?? dice.From(2, 8),
            Volumes = dice.From(1, 3),
            Slots = dice.From(4, 20),
            ReadAhead = dice.Pick(0, 4, 32),
            FileUnits = units,
            BlocksOnDevice = (int)Math.Max(2L * units, 4L * page / block),
            EngineGenerations = dice.OneIn(3),
            OldFrames = dice.OneIn(4),
            SlowPerMille = dice.Pick(0, 20, 200, 800),
            EnginePause = dice.Pick(0, 0, 1, 50),
            QuietClones = Soak.Override("SPC_QUIET") is { } quiet ? quiet != 0 : dice.OneIn(3),
            Milliseconds = milliseconds,
        };
    }
}
