namespace SharedPageCache.Eviction;

/// <summary>Where a page enters that was loaded.</summary>
internal enum Entry
{
    /// <summary>Among the policy's newcomers.</summary>
    Newcomer,

    /// <summary>At the cold end: it goes before all others, unless it is used meanwhile.</summary>
    Cold,
}
