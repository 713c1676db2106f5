namespace SharedPageCache.Cow.Trees;

/// <summary>
/// A piece of metadata that is one block on disk: a node of a tree, or the record of a file.
/// </summary>
/// <remarks>
/// <para>
/// <b>When it may change.</b> A piece is changed in place only while nobody else can see it: one reference leads to it
/// (and to everything above it), and it was born after the last commit took its snapshot
/// (<see cref="Birth"/> is the generation that will be committed next). Everything else is copied first. So a snapshot
/// of the whole volume is one pointer, and a commit reads it with no lock while the hooks go on.
/// </para>
/// <para>
/// <b>References</b> count the files and nodes in memory that lead here, not the states on disk. States on disk are
/// protected by time instead: see <see cref="Space.SpaceMap"/>. Guarded by the volume's lock.
/// </para>
/// <para>
/// <b>Address, checksum, written</b> belong to the committer alone, of which one runs at a time; the address is set under
/// the volume's lock, because freeing reads it there. The address is given once and kept even if writing fails: the
/// content never changes again, so writing it a second time to the same place does no harm to a state that may have
/// reached the disk.
/// </para>
/// </remarks>
internal abstract class MetaBlock(long birth)
{
    /// <summary>How many nodes and files of memory lead here.</summary>
    public int References { get; set; } = 1;

    /// <summary>The first generation that this piece is part of.</summary>
    public long Birth { get; } = birth;

    /// <summary>The block on disk; 0 before a commit has given it one.</summary>
    public long Block { get; set; }

    /// <summary>The checksum of the block; known once it was encoded.</summary>
    public uint Checksum { get; set; }

    /// <summary>Whether the block is durable on disk.</summary>
    public bool IsWritten { get; set; }
}
