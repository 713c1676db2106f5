using SharedPageCache.Cow.Native;
using SharedPageCache.Cow.Space;
using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow.Disk;

/// <summary>
/// Reads a whole state from disk: every record and node once, however many lead to it, so that what was shared when it
/// was written is shared again. Checks all that it reads.
/// </summary>
/// <param name="store">The blocks.</param>
/// <param name="shape">The shape of the trees.</param>
/// <param name="superblock">The state.</param>
/// <param name="report">Told of each thing that is wrong; may throw to stop. What is wrong is left out of the answer.</param>
internal sealed class TreeLoader(BlockStore store, TreeShape shape, Superblock superblock, Action<string> report) : IDisposable
{
    /// <summary>Stands for the level of pieces that only one place may lead to.</summary>
    private const int NotShared = -1;

    private readonly AlignedMemory _memory = new(store.BlockSize);
    private readonly Dictionary<long, (MetaBlock Piece, int Level)> _pieces = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly long _first = Superblock.FirstByte / store.BlockSize;

    /// <summary>The tree of files.</summary>
    public FileTree Files { get; private set; }

    public List<FileRecord> Records { get; } = [];

    /// <summary>For each block of content, how many slots of leaves name it.</summary>
    public BlockCounts Shown { get; } = new(superblock.TotalBlocks);

    public IReadOnlyCollection<long> Metadata => _pieces.Keys;

    public void Load()
    {
        var root = LoadTable(new NodePointer(superblock.RootBlock, superblock.RootChecksum), superblock.RootLevel, 0);
        Files = root is null ? FileTree.Empty : new FileTree(root, superblock.RootLevel);
        foreach (var block in _pieces.Keys)
        {
            if (Shown[block] > 0)
            {
                report($"block {block} holds metadata and is shown by {Shown[block]} slots of leaves");
            }
        }
    }

    public void Dispose() => ((IDisposable)_memory).Dispose();

    private MetaBlock? LoadTable(NodePointer pointer, int level, ulong firstId)
    {
        if (pointer.Block == 0)
        {
            return null;
        }

        if (level == 0)
        {
            return LoadRecord(pointer, firstId);
        }

        if (!TryRead(pointer, level, isRecord: false, out var birth))
        {
            return null;
        }

        var slots = Slots();
        var node = Keep(new InnerNode(birth, level, new MetaBlock?[shape.FanOut]), pointer, NotShared);
        var step = level == 1 ? 1 : (ulong)shape.Span(level - 2);
        for (var slot = 0; slot < slots.Length; slot++)
        {
            node.Children[slot] = LoadTable(slots[slot], level - 1, firstId + ((ulong)slot * step));
        }

        return node;
    }

    private FileRecord? LoadRecord(NodePointer pointer, ulong id)
    {
        if (!TryRead(pointer, 0, isRecord: true, out var birth))
        {
            return null;
        }

        if (NodeFormat.Record(_memory.GetSpan()) is not { } found || found.Id != id || id >= superblock.NextFile)
        {
            report($"block {pointer.Block}: the record of file {id} makes no sense");
            return null;
        }

        if (!_names.Add(found.Name))
        {
            report($"block {pointer.Block}: file {id} has the name '{found.Name}', which another file has too");
            return null;
        }

        var root = LoadNode(found.Root, found.Level);
        var tree = root is null ? FileTree.Empty : new FileTree(root, found.Level);
        var record = Keep(new FileRecord(birth, id, found.Name, found.Length, tree), pointer, NotShared);
        Records.Add(record);
        return record;
    }

    private MetaBlock? LoadNode(NodePointer pointer, int level)
    {
        if (pointer.Block == 0)
        {
            return null;
        }

        if (_pieces.TryGetValue(pointer.Block, out var known)
            && known.Level == level && known.Piece.Checksum == pointer.Checksum)
        {
            known.Piece.References++;
            return known.Piece;
        }

        if (!TryRead(pointer, level, isRecord: false, out var birth))
        {
            return null;
        }

        if (level == 0)
        {
            return LoadLeaf(pointer, birth);
        }

        var slots = Slots();
        var node = Keep(new InnerNode(birth, level, new MetaBlock?[shape.FanOut]), pointer, level);
        for (var slot = 0; slot < slots.Length; slot++)
        {
            node.Children[slot] = LoadNode(slots[slot], level - 1);
        }

        return node;
    }

    private LeafNode LoadLeaf(NodePointer pointer, long birth)
    {
        var leaf = Keep(new LeafNode(birth, new long[shape.FanOut]), pointer, level: 0);
        for (var slot = 0; slot < leaf.Blocks.Length; slot++)
        {
            var block = NodeFormat.Content(_memory.GetSpan(), slot);
            if (block == 0)
            {
                continue;
            }

            if (!IsInside(block))
            {
                report($"block {pointer.Block}: slot {slot} of a leaf leads to block {block}, which does not exist");
                continue;
            }

            leaf.Blocks[slot] = block;
            Shown.Increment(block);
        }

        return leaf;
    }

    private bool TryRead(NodePointer pointer, int level, bool isRecord, out long birth)
    {
        birth = 0;
        if (!IsInside(pointer.Block))
        {
            report($"metadata is said to be in block {pointer.Block}, which does not exist");
            return false;
        }

        if (_pieces.ContainsKey(pointer.Block))
        {
            report($"block {pointer.Block} is said to be two different pieces of metadata");
            return false;
        }

        store.Read(pointer.Block * store.BlockSize, _memory.Memory);
        if (NodeFormat.Check(_memory.GetSpan(), pointer, level, isRecord) is { } fault)
        {
            report($"block {pointer.Block}: {fault}");
            return false;
        }

        birth = NodeFormat.Birth(_memory.GetSpan());
        if (birth > superblock.Generation)
        {
            report($"block {pointer.Block} was born in generation {birth}, after the state of generation {superblock.Generation}");
            return false;
        }

        return true;
    }

    /// <summary>The slots of the inner node that was just read; the buffer is used again for the children.</summary>
    private NodePointer[] Slots()
    {
        var slots = new NodePointer[shape.FanOut];
        for (var slot = 0; slot < slots.Length; slot++)
        {
            slots[slot] = NodeFormat.Slot(_memory.GetSpan(), slot);
        }

        return slots;
    }

    private T Keep<T>(T piece, NodePointer pointer, int level)
        where T : MetaBlock
    {
        piece.Block = pointer.Block;
        piece.Checksum = pointer.Checksum;
        piece.IsWritten = true;
        _pieces.Add(pointer.Block, (piece, level));
        return piece;
    }

    private bool IsInside(long block) => block >= _first && block < superblock.TotalBlocks;
}
