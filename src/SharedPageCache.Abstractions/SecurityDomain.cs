namespace SharedPageCache;

/// <summary>
/// A trust domain (a tenant). Files of different domains share a page only where the engine itself made them share a
/// block; memory that passes from one domain to another is zeroed on the way.
/// </summary>
/// <param name="Value">The number of the domain, 0 to 65,535; 0 is the volume's default domain.</param>
public readonly record struct SecurityDomain(ushort Value)
{
    /// <summary>The default domain.</summary>
    public static SecurityDomain Default => default;

    /// <inheritdoc/>
    public override string ToString() => Value == 0 ? "default domain" : $"domain {Value}";
}
