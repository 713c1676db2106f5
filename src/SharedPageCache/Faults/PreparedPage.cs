namespace SharedPageCache.Faults;

/// <summary>A frame with the new content of a page, and what that was made from.</summary>
/// <param name="Frame">The frame, or -1.</param>
/// <param name="Edition">The file's edition when it was filled.</param>
/// <param name="Clock">The volume's clock before the source was looked for; the largest number if there was none.</param>
internal readonly record struct PreparedPage(int Frame, long Edition = 0, long Clock = long.MaxValue);
