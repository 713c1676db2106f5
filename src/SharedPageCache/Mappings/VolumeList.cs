using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>The attached volumes of a cache, each with the number that stands for it in block identities.</summary>
/// <remarks>
/// <para>
/// <b>Numbers go round</b>: one is given out again only after all others. So whoever still works on a detached volume (a
/// late fault or relocation, which look whether it is detached) does not meet its successor's blocks.
/// </para>
/// <para>
/// <b>Guard.</b> The array is replaced under the lock, never changed, and published by a release store: readers take one
/// acquire load.
/// </para>
/// </remarks>
/// <param name="numbers">How many numbers there are.</param>
internal sealed class VolumeList(int numbers)
{
    private TinyLock _lock;
    private VolumeMap[] _volumes = [];
    private int _next;

    /// <summary>Memory of all volumes' indexes in bytes. Takes no lock and allocates nothing.</summary>
    public long Bytes
    {
        get
        {
            long bytes = 0;
            foreach (var volume in All())
            {
                bytes += volume.Bytes;
            }

            return bytes;
        }
    }

    /// <summary>Files that are open, or closed and not written back yet.</summary>
    public long OpenFiles => All().Sum(static volume => (long)volume.OpenFiles);

    /// <summary>The volumes at this moment; the array never changes.</summary>
    public VolumeMap[] All() => Atomic.LoadAcquire(ref _volumes!)!;

    /// <summary>Adds a volume under the next free number.</summary>
    /// <exception cref="ArgumentException">The id is attached already.</exception>
    /// <exception cref="CacheCapacityException">All numbers are in use.</exception>
    public VolumeMap Add(VolumeId id, Func<int, VolumeMap> make)
    {
        _lock.Enter();
        try
        {
            if (Array.Find(_volumes, volume => volume.Id == id) is { } known)
            {
                throw new ArgumentException(
                    $"Volume {id} is already attached as '{known.Name}': blocks of one volume must not have two identities.",
                    nameof(id));
            }

            if (_volumes.Length == numbers)
            {
                throw new CacheCapacityException($"A cache attaches at most {numbers} volumes.");
            }

            while (Array.Exists(_volumes, volume => volume.Number == _next))
            {
                _next = (_next + 1) % numbers;
            }

            var added = make(_next);
            _next = (_next + 1) % numbers;
            Atomic.StoreRelease(ref _volumes!, [.. _volumes, added]);
            return added;
        }
        finally
        {
            _lock.Exit();
        }
    }

    public void Remove(VolumeMap volume)
    {
        _lock.Enter();
        Atomic.StoreRelease(ref _volumes!, Array.FindAll(_volumes, known => known != volume));
        _lock.Exit();
    }

    public VolumeMap? Find(int number) => Array.Find(All(), volume => volume.Number == number);

    /// <summary>Takes a frame out of the composites of whatever volume lists it.</summary>
    public void RemoveComposite(int frame)
    {
        foreach (var volume in All())
        {
            volume.Composites.Remove(frame);
        }
    }
}
