namespace SharedPageCache;

/// <summary>
/// The identity of a volume: one address space of physical blocks. Blocks of equal number are the same block exactly when
/// their volume ids are equal, so the id must be stable, unique among the volumes of a cache, and common to all clones
/// that live on the volume.
/// </summary>
/// <param name="High">Upper 64 bits, for example a file system's UUID.</param>
/// <param name="Low">Lower 64 bits.</param>
public readonly record struct VolumeId(ulong High, ulong Low)
{
    /// <summary>Makes an id from a GUID.</summary>
    /// <param name="value">Any GUID.</param>
    public static VolumeId FromGuid(Guid value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes);
        return new VolumeId(
            System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
    }

    /// <summary>A fresh, random id.</summary>
    public static VolumeId NewId() => FromGuid(Guid.NewGuid());

    /// <inheritdoc/>
    public override string ToString() => $"{High:x16}{Low:x16}";
}
