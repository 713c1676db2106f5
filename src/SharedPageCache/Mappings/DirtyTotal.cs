using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>The dirty pages of all volumes of a cache together, and how many volumes may have some.</summary>
/// <remarks>Both only by interlocked addition; who looks sees some moment's number, which is all that pacing needs.</remarks>
internal sealed class DirtyTotal
{
    private int _pages;
    private int _volumes;

    public int Pages => Atomic.LoadAcquire(ref _pages);

    public int Volumes => Atomic.LoadAcquire(ref _volumes);

    public void AddPages(int pages) => Atomic.Add(ref _pages, pages);

    public void AddVolumes(int volumes) => Atomic.Add(ref _volumes, volumes);
}
