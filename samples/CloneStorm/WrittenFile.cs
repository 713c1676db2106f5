namespace SharedPageCache.Samples.CloneStorm;

/// <summary>A file of the volume, by its name, and all that was written to it or to its origins, in order.</summary>
/// <param name="Name">The name.</param>
/// <param name="Writes">What was written; nothing for the image itself.</param>
internal sealed record WrittenFile(string Name, IReadOnlyList<ImageWrite> Writes);
