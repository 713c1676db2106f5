using System.Diagnostics;
using SharedPageCache.Concurrency;
using SharedPageCache.Faults;
using SharedPageCache.Mappings;

namespace SharedPageCache;

/// <summary>
/// A write that an engine makes to blocks in place, past the cache: from <see cref="CachedVolume.BeginDirectWrite"/> to
/// <see cref="Dispose"/>. Not disposing it blocks the readers of these blocks.
/// </summary>
[DebuggerDisplay("direct write of {Blocks}")]
public sealed class DirectWrite : IDisposable
{
    private readonly VolumeMap _map;
    private int _ended;

    internal DirectWrite(VolumeMap map, BlockRun blocks)
    {
        _map = map;
        Blocks = blocks;
    }

    /// <summary>The blocks that are written.</summary>
    public BlockRun Blocks { get; }

    /// <summary>The device has done: the blocks may be read again. Again is without effect.</summary>
    public void Dispose()
    {
        if (Atomic.Exchange(ref _ended, 1) == 0)
        {
            BlockCare.EndWrite(_map, Blocks);
        }
    }
}
