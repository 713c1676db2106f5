using SharedPageCache.Mappings;

namespace SharedPageCache.Writeback;

/// <summary>Why pages did not become durable, and who shows them.</summary>
/// <param name="Error">The exception that a flush throws.</param>
/// <param name="Files">The files that show the pages.</param>
internal sealed record WritebackFailure(CacheWritebackException Error, IReadOnlyCollection<FileMapping> Files);
