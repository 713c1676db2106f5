using System.Buffers.Binary;
using System.Numerics;

namespace SharedPageCache.Cow.Disk;

/// <summary>The root of a state on disk. Little-endian, in the first 96 bytes of its block; the rest is zero.</summary>
/// <remarks>
/// <code>
///   0  magic "SPCCOW01"        32  volume id (16)            72  root's checksum (4)
///   8  format version (4)      48  blocks of the volume (8)  76  root's level (4)
///  12  block size (4)          56  next file number (8)      80  zero
///  16  generation (8)          64  root's block (8)          92  CRC-32C of bytes 0..91 (4)
///  24  zero
/// </code>
/// There are two, at bytes 0 and 65,536, which are blocks of their own at every block size, so that both can be found
/// before the block size is known. They fit into one sector of 512 bytes, so a disk that writes sectors whole cannot even
/// tear them; the checksum is for those that can.
/// </remarks>
internal sealed record Superblock(
    int BlockSize,
    long Generation,
    VolumeId Id,
    long TotalBlocks,
    ulong NextFile,
    long RootBlock,
    uint RootChecksum,
    int RootLevel)
{
    public const int Bytes = 96;
    public const int Slots = 2;
    public const int SlotDistance = 64 << 10;

    /// <summary>Where content and metadata begin.</summary>
    public const int FirstByte = Slots * SlotDistance;

    /// <summary>The greatest height of a tree: 512-byte blocks, 2^56 bytes.</summary>
    public const int HighestLevel = 15;

    private const int Version = 1;

    private static ReadOnlySpan<byte> Magic => "SPCCOW01"u8;

    public static long SlotOffset(int slot) => (long)slot * SlotDistance;

    public void Encode(Span<byte> block)
    {
        block.Clear();
        Magic.CopyTo(block);
        BinaryPrimitives.WriteInt32LittleEndian(block[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(block[12..], BlockSize);
        BinaryPrimitives.WriteInt64LittleEndian(block[16..], Generation);
        BinaryPrimitives.WriteUInt64LittleEndian(block[32..], Id.High);
        BinaryPrimitives.WriteUInt64LittleEndian(block[40..], Id.Low);
        BinaryPrimitives.WriteInt64LittleEndian(block[48..], TotalBlocks);
        BinaryPrimitives.WriteUInt64LittleEndian(block[56..], NextFile);
        BinaryPrimitives.WriteInt64LittleEndian(block[64..], RootBlock);
        BinaryPrimitives.WriteUInt32LittleEndian(block[72..], RootChecksum);
        BinaryPrimitives.WriteInt32LittleEndian(block[76..], RootLevel);
        BinaryPrimitives.WriteUInt32LittleEndian(block[(Bytes - 4)..], Checksum.Of(block[..(Bytes - 4)]));
    }

    /// <summary>Reads a superblock; null with the reason if there is none.</summary>
    public static Superblock? Decode(ReadOnlySpan<byte> block, out string reason)
    {
        reason = "";
        if (!block[..8].SequenceEqual(Magic))
        {
            reason = "no superblock is there";
        }
        else if (BinaryPrimitives.ReadUInt32LittleEndian(block[(Bytes - 4)..]) != Checksum.Of(block[..(Bytes - 4)]))
        {
            reason = "its checksum does not match";
        }
        else if (BinaryPrimitives.ReadInt32LittleEndian(block[8..]) is var version and not Version)
        {
            reason = $"its format version is {version}, and this is version {Version}";
        }

        if (reason.Length > 0)
        {
            return null;
        }

        var found = new Superblock(
            BinaryPrimitives.ReadInt32LittleEndian(block[12..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[16..]),
            new VolumeId(BinaryPrimitives.ReadUInt64LittleEndian(block[32..]), BinaryPrimitives.ReadUInt64LittleEndian(block[40..])),
            BinaryPrimitives.ReadInt64LittleEndian(block[48..]),
            BinaryPrimitives.ReadUInt64LittleEndian(block[56..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[64..]),
            BinaryPrimitives.ReadUInt32LittleEndian(block[72..]),
            BinaryPrimitives.ReadInt32LittleEndian(block[76..]));
        if (!CowVolumeOptions.IsBlockSize(found.BlockSize) || !BitOperations.IsPow2(found.BlockSize)
            || found.Generation <= 0
            || found.TotalBlocks <= FirstByte / found.BlockSize || found.TotalBlocks > long.MaxValue / found.BlockSize
            || found.RootLevel is < 0 or > HighestLevel)
        {
            reason = $"its fields make no sense: {found}";
            return null;
        }

        return found;
    }
}
