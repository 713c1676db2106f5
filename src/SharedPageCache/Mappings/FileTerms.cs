namespace SharedPageCache.Mappings;

/// <summary>What is said of a file when it is opened or cloned, and holds as long as it is open.</summary>
/// <param name="Id">The engine's identity of the file, or none.</param>
/// <param name="Name">Its name in messages and reports.</param>
/// <param name="Domain">The security domain that it belongs to.</param>
/// <param name="IsSealed">Whether it is sealed from the start.</param>
internal readonly record struct FileTerms(FileId Id, string? Name, SecurityDomain Domain, bool IsSealed);
