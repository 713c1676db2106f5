namespace SharedPageCache;

/// <summary>
/// A trust domain (a tenant). Files of different domains share a page only where the engine itself made them share a
/// block; memory that passes from one domain to another is zeroed on the way.
/// </summary>
/// <remarks>
/// The default domain is one for each volume: files of two volumes that say nothing do not trust each other. A domain with a
/// number is the same tenant on all volumes of a cache.
/// </remarks>
/// <param name="value">The number of the domain, 0 to <see cref="MaxValue"/>; 0 is the volume's default domain.</param>
/// <exception cref="ArgumentOutOfRangeException">The number is larger than <see cref="MaxValue"/>.</exception>
public readonly struct SecurityDomain(ushort value) : IEquatable<SecurityDomain>
{
    /// <summary>The largest number of a domain.</summary>
    public const ushort MaxValue = 32_767;

    /// <summary>The default domain of a volume.</summary>
    public static SecurityDomain Default => default;

    /// <summary>The number of the domain; 0 is the volume's default domain.</summary>
    public ushort Value { get; } = value <= MaxValue
        ? value
        : throw new ArgumentOutOfRangeException(nameof(value), value, $"A security domain is 0 (the volume's own) to {MaxValue}, not {value}.");

    /// <summary>Whether two values name the same domain.</summary>
    public static bool operator ==(SecurityDomain left, SecurityDomain right) => left.Equals(right);

    /// <summary>Whether two values name different domains.</summary>
    public static bool operator !=(SecurityDomain left, SecurityDomain right) => !left.Equals(right);

    /// <inheritdoc/>
    public bool Equals(SecurityDomain other) => Value == other.Value;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is SecurityDomain other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Value;

    /// <inheritdoc/>
    public override string ToString() => Value == 0 ? "default domain" : $"domain {Value}";
}
