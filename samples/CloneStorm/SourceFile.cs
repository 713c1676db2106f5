namespace SharedPageCache.Samples.CloneStorm;

/// <summary>A real file that goes into the golden image.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Length">Its length in bytes when it was listed, greater than zero.</param>
internal readonly record struct SourceFile(string Path, long Length);
