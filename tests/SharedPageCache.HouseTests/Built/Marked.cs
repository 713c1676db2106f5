namespace SharedPageCache.HouseTests.Built;

/// <summary>What a member shows in metadata that some rooms may not have.</summary>
internal enum Mark
{
    /// <summary>A pointer or function pointer in a field, a signature or a local.</summary>
    Pointer,

    /// <summary>A native import.</summary>
    NativeImport,

    /// <summary>A volatile field.</summary>
    VolatileField,
}

/// <summary>A member that shows a mark.</summary>
/// <param name="From">Full name of the outermost declaring type.</param>
/// <param name="Site">The member.</param>
/// <param name="Mark">What it shows.</param>
internal sealed record Marked(string From, string Site, Mark Mark);
