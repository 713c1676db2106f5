namespace SharedPageCache.Faults;

/// <summary>What a fault gives its caller to copy from.</summary>
internal enum PageHoldKind
{
    /// <summary>Nothing: no frame was to be had and the caller needs one.</summary>
    None,

    /// <summary>The page reads zero; there is no frame.</summary>
    Zero,

    /// <summary>A resident page, pinned.</summary>
    Pinned,

    /// <summary>A frame of the reserve that holds the page's bytes for this caller alone.</summary>
    Around,
}

/// <summary>A page that stays readable until it is given back to the faults.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Frame">The frame, if there is one.</param>
/// <param name="Loaded">
/// How many pages, this one first, the caller has waited for the device for; 0 for a page that was in memory.
/// </param>
/// <param name="IsOwnLoad">Whether the caller's own load brought them, so that nobody else has used them yet.</param>
internal readonly record struct PageHold(PageHoldKind Kind, int Frame = -1, int Loaded = 0, bool IsOwnLoad = false)
{
    public static PageHold None => default;

    public static PageHold Zero => new(PageHoldKind.Zero);
}
