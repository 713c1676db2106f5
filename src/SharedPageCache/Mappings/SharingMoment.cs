namespace SharedPageCache.Mappings;

/// <summary>How often a file had come to share pages with others: by clones, which renew its stamp, and by ranges.</summary>
/// <param name="Stamp">The file's stamp.</param>
/// <param name="Ranges">How many ranges were shared.</param>
internal readonly record struct SharingMoment(long Stamp, long Ranges);
