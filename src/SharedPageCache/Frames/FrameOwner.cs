namespace SharedPageCache.Frames;

/// <summary>Whose bytes may lie in a frame: what decides whether it is zeroed before it is given to somebody else.</summary>
/// <remarks>
/// <code>
/// 0                        nobody's: the memory is fresh, and zero
/// 1 .. 32,767              a security domain, on whatever volume
/// 32,768 .. 65,534         the default domain of volume 0 .. 32,766
/// 65,535                   unknown: the domain is gone and its number may be another's by now
/// </code>
/// </remarks>
internal readonly record struct FrameOwner(ushort Tag)
{
    private const int OfVolume = SecurityDomain.MaxValue + 1;

    public static FrameOwner Nobody => default;

    public static FrameOwner Unknown => new(ushort.MaxValue);

    public static FrameOwner Of(int volume, SecurityDomain domain) =>
        domain == SecurityDomain.Default ? new((ushort)(OfVolume | volume)) : new(domain.Value);
}
