using SharedPageCache.Mappings;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>Where the write-back's frames go: to the pool, to the policy, or out of the way.</summary>
internal sealed class FrameSink(Rooms rooms, BlockInvalidation invalidation) : IFrameSink
{
    public void Return(int frame) => rooms.Pool.Return(frame);

    public void Admit(int frame, int generation, ulong identityHash) => rooms.Reclaimer.Admit(frame, generation, identityHash);

    public void DropBlocks(VolumeMap volume, BlockRun run) => invalidation.DropCached(volume, run);

    public void DropDirty(VolumeMap volume) => invalidation.DropDirty(volume);
}
