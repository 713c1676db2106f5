using System.Buffers.Binary;
using System.Text;
using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow.Disk;

/// <summary>How a piece of metadata lies in its block. Little-endian.</summary>
/// <remarks>
/// <code>
///   0  magic: "CINN" inner, "CLEF" leaf, "CFIL" file     inner: 16 bytes a slot: block (8), checksum (4), zero (4)
///   4  CRC-32C of the block, this field taken as zero    leaf:   8 bytes a slot: block
///   8  its own block number                              file:  number (8), length (8), root's block (8),
///  16  birth (generation)                                       root's checksum (4), root's level (4),
///  24  level                                                    length of the name (4), name (UTF-8)
///  28  zero
/// </code>
/// Three things are checked when a block is read. The checksum finds bytes that changed. The block's own number finds a
/// write or read that went to the wrong place. And the checksum that stands in the parent's slot finds a block that is
/// whole, and in its place, and old: a write that the disk acknowledged and lost.
/// </remarks>
internal static class NodeFormat
{
    public const int LongestName = 255;

    private const int Header = 32;
    private const int RecordHeader = 36;
    private const uint InnerMagic = 0x4E4E4943;
    private const uint LeafMagic = 0x46454C43;
    private const uint FileMagic = 0x4C494643;

    public static UTF8Encoding Names { get; } = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Writes a piece that has an address, and whose children were encoded before; sets its checksum.</summary>
    public static void Encode(MetaBlock piece, Span<byte> block)
    {
        block.Clear();
        var body = block[Header..];
        var (magic, level) = piece switch
        {
            InnerNode inner => (InnerMagic, EncodeInner(inner, body)),
            LeafNode leaf => (LeafMagic, EncodeLeaf(leaf, body)),
            FileRecord record => (FileMagic, EncodeRecord(record, body)),
            _ => throw new InvalidOperationException($"A {piece.GetType().Name} has no form on disk."),
        };
        BinaryPrimitives.WriteUInt32LittleEndian(block, magic);
        BinaryPrimitives.WriteInt64LittleEndian(block[8..], piece.Block);
        BinaryPrimitives.WriteInt64LittleEndian(block[16..], piece.Birth);
        BinaryPrimitives.WriteInt32LittleEndian(block[24..], level);
        piece.Checksum = Checksum.Of(block);
        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], piece.Checksum);
    }

    /// <summary>Checks a block that was read; null if it is what its parent says, else what is wrong with it.</summary>
    public static string? Check(Span<byte> block, NodePointer pointer, int level, bool isRecord)
    {
        var stored = BinaryPrimitives.ReadUInt32LittleEndian(block[4..]);
        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], 0);
        var expected = isRecord ? FileMagic : level == 0 ? LeafMagic : InnerMagic;
        return Checksum.Of(block) is var computed && computed != stored
                ? $"its checksum is {computed:x8} instead of {stored:x8}"
            : BinaryPrimitives.ReadInt64LittleEndian(block[8..]) is var self && self != pointer.Block
                ? $"it holds what belongs to block {self}"
            : stored != pointer.Checksum
                ? $"it is a whole block with checksum {stored:x8}, but its parent leads to {pointer.Checksum:x8}: an older one"
            : BinaryPrimitives.ReadUInt32LittleEndian(block) != expected
                || BinaryPrimitives.ReadInt32LittleEndian(block[24..]) != level
                ? "it is of another kind or level than its parent says"
            : null;
    }

    public static long Birth(ReadOnlySpan<byte> block) => BinaryPrimitives.ReadInt64LittleEndian(block[16..]);

    public static NodePointer Slot(ReadOnlySpan<byte> inner, int slot) => new(
        BinaryPrimitives.ReadInt64LittleEndian(inner[(Header + (slot * TreeShape.InnerSlotBytes))..]),
        BinaryPrimitives.ReadUInt32LittleEndian(inner[(Header + 8 + (slot * TreeShape.InnerSlotBytes))..]));

    public static long Content(ReadOnlySpan<byte> leaf, int slot) =>
        BinaryPrimitives.ReadInt64LittleEndian(leaf[(Header + (slot * sizeof(long)))..]);

    /// <summary>Reads the record of a file, whose tree the caller loads.</summary>
    public static RecordOnDisk? Record(ReadOnlySpan<byte> block)
    {
        var body = block[Header..];
        var length = BinaryPrimitives.ReadInt64LittleEndian(body[8..]);
        var level = BinaryPrimitives.ReadInt32LittleEndian(body[28..]);
        var nameLength = BinaryPrimitives.ReadInt32LittleEndian(body[32..]);
        if (length is < 0 or > CowVolume.LongestFile || level is < 0 or > Superblock.HighestLevel || nameLength is <= 0 or > LongestName)
        {
            return null;
        }

        string name;
        try
        {
            name = Names.GetString(body.Slice(RecordHeader, nameLength));
        }
        catch (DecoderFallbackException)
        {
            return null;
        }

        return new RecordOnDisk(
            BinaryPrimitives.ReadUInt64LittleEndian(body),
            name,
            length,
            new NodePointer(
                BinaryPrimitives.ReadInt64LittleEndian(body[16..]), BinaryPrimitives.ReadUInt32LittleEndian(body[24..])),
            level);
    }

    private static int EncodeInner(InnerNode inner, Span<byte> body)
    {
        foreach (var child in inner.Children)
        {
            if (child is not null)
            {
                BinaryPrimitives.WriteInt64LittleEndian(body, child.Block);
                BinaryPrimitives.WriteUInt32LittleEndian(body[8..], child.Checksum);
            }

            body = body[TreeShape.InnerSlotBytes..];
        }

        return inner.Level;
    }

    private static int EncodeLeaf(LeafNode leaf, Span<byte> body)
    {
        foreach (var block in leaf.Blocks)
        {
            BinaryPrimitives.WriteInt64LittleEndian(body, block);
            body = body[sizeof(long)..];
        }

        return 0;
    }

    private static int EncodeRecord(FileRecord record, Span<byte> body)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(body, record.Id);
        BinaryPrimitives.WriteInt64LittleEndian(body[8..], record.Length);
        if (record.Tree.Root is { } root)
        {
            BinaryPrimitives.WriteInt64LittleEndian(body[16..], root.Block);
            BinaryPrimitives.WriteUInt32LittleEndian(body[24..], root.Checksum);
            BinaryPrimitives.WriteInt32LittleEndian(body[28..], record.Tree.Level);
        }

        BinaryPrimitives.WriteInt32LittleEndian(body[32..], Names.GetBytes(record.Name, body[RecordHeader..]));
        return 0;
    }
}
