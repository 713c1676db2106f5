namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What there is to say of a <see cref="GoldenImage"/>.</summary>
/// <param name="SourceBytes">The sum of the lengths of the source files in bytes.</param>
/// <param name="Bytes">The length of the image in bytes.</param>
/// <param name="Extents">The number of its extents.</param>
/// <param name="Sha256">SHA-256 of the image as a hexadecimal number.</param>
internal sealed record ImageFigures(long SourceBytes, long Bytes, int Extents, string Sha256);
