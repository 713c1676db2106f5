namespace SharedPageCache.HouseTests.Built;

/// <summary>One mention of a type by a type of the assembly that was read.</summary>
/// <param name="From">Full name of the outermost type that mentions it (closures and state machines count for it).</param>
/// <param name="Site">The member in which the mention stands, for messages.</param>
/// <param name="Target">The type mentioned.</param>
/// <param name="Member">The member called or accessed, if the mention is one in a method body.</param>
/// <param name="IsEventAccessor">
/// True in the accessors that the compiler writes for a field-like event: they use Interlocked without being asked.
/// </param>
internal sealed record Use(string From, string Site, TypeTarget Target, string? Member, bool IsEventAccessor);
