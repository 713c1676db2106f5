namespace SharedPageCache;

/// <summary>What of a file is in memory, and what of that is its own.</summary>
/// <param name="ResidentBytes">Bytes of the file that are in memory through its tree.</param>
/// <param name="UsedBytes">Those that this file has itself used.</param>
/// <param name="SharedBytes">Those used by this file that at least one other open file has used too.</param>
/// <param name="ProportionalBytes">
/// The file's fair charge: for each resident page that it has used, the page size divided by the number of files that
/// have used the page.
/// </param>
public readonly record struct FileReport(
    long ResidentBytes, long UsedBytes, long SharedBytes, long ProportionalBytes);
