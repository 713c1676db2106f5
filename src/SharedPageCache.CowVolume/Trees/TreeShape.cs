using System.Numerics;

namespace SharedPageCache.Cow.Trees;

/// <summary>The arithmetic of a radix tree whose nodes are one block each.</summary>
internal sealed class TreeShape
{
    /// <summary>A slot of an inner node on disk: block, checksum, four bytes of padding.</summary>
    public const int InnerSlotBytes = 16;

    private const int LargestFanOut = 256;

    public TreeShape(int blockSize)
    {
        BlockSize = blockSize;

        // Half a block for slots, so that header and slots fit: 16 slots at 512 bytes, 128 at 4,096, 256 from 8,192 on.
        FanOut = Math.Min(LargestFanOut, blockSize / 2 / InnerSlotBytes);
        Bits = BitOperations.Log2((uint)FanOut);
    }

    public int BlockSize { get; }

    /// <summary>Slots of a node.</summary>
    public int FanOut { get; }

    private int Bits { get; }

    /// <summary>How many blocks of a file one node of a level covers.</summary>
    public long Span(int level) => (level + 1) * Bits >= 62 ? long.MaxValue : 1L << ((level + 1) * Bits);

    /// <summary>The slot of a node of a level that leads to a block of the file.</summary>
    public int Slot(long fileBlock, int level) => (int)(fileBlock >> (level * Bits)) & (FanOut - 1);

    public long BlocksFor(long bytes) => (bytes + BlockSize - 1) / BlockSize;
}
