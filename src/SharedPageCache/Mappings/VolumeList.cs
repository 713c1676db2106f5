using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>The attached volumes of a cache, by number. Numbers of detached volumes are given out again.</summary>
internal sealed class VolumeList
{
    private TinyLock _lock;
    private VolumeMap?[] _volumes = new VolumeMap?[4];

    /// <summary>Adds a volume under a free number.</summary>
    /// <exception cref="ArgumentException">The id is attached already.</exception>
    /// <exception cref="CacheCapacityException">All numbers are in use.</exception>
    public VolumeMap Add(VolumeId id, Func<int, VolumeMap> make)
    {
        _lock.Enter();
        try
        {
            var number = -1;
            for (var i = 0; i < _volumes.Length; i++)
            {
                if (_volumes[i] is null)
                {
                    number = number < 0 ? i : number;
                }
                else if (_volumes[i]!.Id == id)
                {
                    throw new ArgumentException(
                        $"Volume {id} is already attached as '{_volumes[i]!.Name}': blocks of one volume must not have two identities.",
                        nameof(id));
                }
            }

            if (number < 0)
            {
                number = _volumes.Length;
                if (number > Frames.BlockIdentity.MaxVolume)
                {
                    throw new CacheCapacityException($"A cache attaches at most {Frames.BlockIdentity.MaxVolume + 1} volumes.");
                }

                var larger = new VolumeMap?[Math.Min(_volumes.Length * 2, Frames.BlockIdentity.MaxVolume + 1)];
                _volumes.CopyTo(larger, 0);
                Atomic.StoreRelease(ref _volumes!, larger);
            }

            var volume = make(number);
            Atomic.StoreRelease(ref _volumes[number], volume);
            return volume;
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Memory of all volumes' indexes in bytes. Takes no lock and allocates nothing.</summary>
    public long Bytes
    {
        get
        {
            long bytes = 0;
            var volumes = Atomic.LoadAcquire(ref _volumes!)!;
            for (var i = 0; i < volumes.Length; i++)
            {
                bytes += Atomic.LoadAcquire(ref volumes[i])?.Bytes ?? 0;
            }

            return bytes;
        }
    }

    public void Remove(VolumeMap volume)
    {
        _lock.Enter();
        if (_volumes[volume.Number] == volume)
        {
            Atomic.StoreRelease(ref _volumes[volume.Number], null);
        }

        _lock.Exit();
    }

    public VolumeMap? Find(int number)
    {
        var volumes = Atomic.LoadAcquire(ref _volumes!)!;
        return (uint)number < (uint)volumes.Length ? Atomic.LoadAcquire(ref volumes[number]) : null;
    }

    public VolumeMap[] All()
    {
        _lock.Enter();
        try
        {
            return [.. _volumes.OfType<VolumeMap>()];
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Takes a frame out of the composites of whatever volume lists it.</summary>
    public void RemoveComposite(int frame)
    {
        var volumes = Atomic.LoadAcquire(ref _volumes!)!;
        for (var i = 0; i < volumes.Length; i++)
        {
            Atomic.LoadAcquire(ref volumes[i])?.Composites.Remove(frame);
        }
    }
}
