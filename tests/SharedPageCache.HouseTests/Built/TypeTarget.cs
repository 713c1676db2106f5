namespace SharedPageCache.HouseTests.Built;

/// <summary>A type as metadata names it, reduced to what the rules ask for.</summary>
/// <param name="Assembly">The assembly that the reference names; null for a type of the assembly itself.</param>
/// <param name="Outermost">Full name of the outermost declaring type, arity included.</param>
/// <param name="FullName">Full name, nested types after a slash.</param>
internal sealed record TypeTarget(string? Assembly, string Outermost, string FullName);
