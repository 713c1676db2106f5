namespace SharedPageCache.Writeback;

/// <summary>When the background writer begins, and when writers wait. In pages.</summary>
/// <param name="Start">Dirty pages of a volume at which the background writer begins.</param>
/// <param name="Most">The most dirty pages of a volume.</param>
/// <param name="Age">How long a page stays dirty before the background writer takes it.</param>
internal readonly record struct WritebackLimits(int Start, int Most, TimeSpan Age)
{
    /// <summary>The most pages that are written whole or not at all, as a clone sees it.</summary>
    public int MostAtomic(int frames, int pageSize) => Math.Max(1, Math.Min(Math.Min((1 << 20) / pageSize, frames / 8), Most));
}
