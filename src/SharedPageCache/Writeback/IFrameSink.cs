using SharedPageCache.Mappings;

namespace SharedPageCache.Writeback;

/// <summary>What the write-back needs from the floors above it: frames that it has done with go there.</summary>
internal interface IFrameSink
{
    /// <summary>A frame has come free: it is reset and goes back to the pool.</summary>
    void Return(int frame);

    /// <summary>A frame has got a block and is clean: it may be evicted from now on.</summary>
    void Admit(int frame, int generation, ulong identityHash);

    /// <summary>Drops what is cached of blocks, and ends loads of them.</summary>
    void DropBlocks(VolumeMap volume, BlockRun run);

    /// <summary>Drops what is dirty of a volume that is detached.</summary>
    void DropDirty(VolumeMap volume);
}
