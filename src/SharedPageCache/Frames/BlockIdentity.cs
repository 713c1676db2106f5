namespace SharedPageCache.Frames;

/// <summary>
/// The identity of a block inside one cache, in 96 bits: block number (48), number of the volume plus one (16), and the
/// engine's generation (32). The default value is no identity.
/// </summary>
internal readonly record struct BlockIdentity(long Packed, uint Generation)
{
    public const int BlockBits = 48;
    public const long MaxBlock = (1L << BlockBits) - 1;
    public const int MaxVolume = short.MaxValue - 1;

    public static BlockIdentity Of(int volume, long block, uint generation) =>
        new(((long)(volume + 1) << BlockBits) | block, generation);

    public bool IsSome => Packed != 0;

    public int Volume => (int)(Packed >> BlockBits) - 1;

    public long Block => Packed & MaxBlock;

    /// <summary>
    /// A well-mixed hash of volume and block (the finalizer of MurmurHash3, by Austin Appleby). The generation is left
    /// out: a discard must find a block in whatever generation it is cached.
    /// </summary>
    public ulong Hash
    {
        get
        {
            var hash = (ulong)Packed;
            hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
            hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53;
            return hash ^ (hash >> 33);
        }
    }

    public override string ToString() =>
        IsSome ? $"volume {Volume} block {Block}{(Generation == 0 ? "" : $" gen {Generation}")}" : "no identity";
}
