namespace SharedPageCache.HouseTests.Built;

/// <summary>A type that the assembly defines.</summary>
/// <param name="Namespace">Its namespace, or that of its outermost declaring type.</param>
/// <param name="Outermost">Full name of the outermost declaring type.</param>
/// <param name="Name">Simple name without arity.</param>
/// <param name="FullName">Full name, nested types after a slash.</param>
/// <param name="IsGenerated">Written by the compiler or a generator, or nested in such a type.</param>
internal sealed record DefinedType(string Namespace, string Outermost, string Name, string FullName, bool IsGenerated);
