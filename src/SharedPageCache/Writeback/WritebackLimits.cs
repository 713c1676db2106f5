namespace SharedPageCache.Writeback;

/// <summary>When the background writer begins, when writers are slowed, and when they wait. In pages of all volumes, and by age.</summary>
/// <param name="Start">Dirty pages of a volume at which its background writer begins.</param>
/// <param name="Throttle">Dirty pages beyond which writers are slowed.</param>
/// <param name="Most">The most dirty pages.</param>
/// <param name="Lingering">Closed files with dirty pages, of all volumes in equal parts, beyond which a volume's background writer begins.</param>
/// <param name="Age">How long a page stays dirty before the background writer takes it.</param>
/// <param name="ThrottleAge">The age of the oldest dirty page of a volume beyond which its writers are slowed; null for none.</param>
/// <param name="MostAge">The age of the oldest dirty page of a volume beyond which its writers wait; null for none.</param>
internal readonly record struct WritebackLimits(
    int Start, int Throttle, int Most, int Lingering, TimeSpan Age, TimeSpan? ThrottleAge = null, TimeSpan? MostAge = null)
{
    /// <summary>The most pages that are written whole or not at all, as a clone sees it.</summary>
    public int MostAtomic(int frames, int pageSize) => Math.Max(1, Math.Min(MostAtomicOf(frames, pageSize), Most));

    /// <summary>The same whatever the limit on dirty pages is; 0 in the smallest caches.</summary>
    public static int MostAtomicOf(int frames, int pageSize) => Math.Min((1 << 20) / pageSize, frames / 8);

    /// <summary>
    /// What a volume may always have dirty, whatever the others have: all shares together are a quarter of the limit. So a volume whose
    /// device fails does not stop the others.
    /// </summary>
    public int ShareOf(int volumes) => Math.Max(1, Most / (4 * Math.Max(1, volumes)));
}
