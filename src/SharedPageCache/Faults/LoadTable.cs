using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>The loads under way: by frame, and for composite pages, which no block number finds, by leaf and slot.</summary>
internal sealed class LoadTable
{
    private const int StripeCount = 16;

    private readonly Stripe[] _stripes = MakeStripes();
    private readonly Dictionary<(Leaf, int), LoadOperation> _composites = [];
    private TinyLock _compositesLock;

    /// <summary>Registers a frame before it can be found.</summary>
    public void Add(int frame, LoadOperation load)
    {
        ref var stripe = ref _stripes[frame & (StripeCount - 1)];
        stripe.Lock.Enter();
        stripe.Loads[frame] = load;
        stripe.Lock.Exit();
    }

    public LoadOperation? Find(int frame)
    {
        ref var stripe = ref _stripes[frame & (StripeCount - 1)];
        stripe.Lock.Enter();
        stripe.Loads.TryGetValue(frame, out var load);
        stripe.Lock.Exit();
        return load;
    }

    public void Remove(int frame)
    {
        ref var stripe = ref _stripes[frame & (StripeCount - 1)];
        stripe.Lock.Enter();
        stripe.Loads.Remove(frame);
        stripe.Lock.Exit();
    }

    /// <summary>Registers the load of a composite page.</summary>
    /// <returns>The load that is under way already, or null if the given one is registered.</returns>
    public LoadOperation? FindOrAdd(Leaf leaf, int slot, LoadOperation load)
    {
        _compositesLock.Enter();
        try
        {
            return _composites.TryAdd((leaf, slot), load) ? null : _composites[(leaf, slot)];
        }
        finally
        {
            _compositesLock.Exit();
        }
    }

    public LoadOperation? Find(Leaf leaf, int slot)
    {
        _compositesLock.Enter();
        try
        {
            return _composites.GetValueOrDefault((leaf, slot));
        }
        finally
        {
            _compositesLock.Exit();
        }
    }

    public void Remove(Leaf leaf, int slot)
    {
        _compositesLock.Enter();
        _composites.Remove((leaf, slot));
        _compositesLock.Exit();
    }

    private static Stripe[] MakeStripes()
    {
        var stripes = new Stripe[StripeCount];
        for (var i = 0; i < stripes.Length; i++)
        {
            stripes[i].Loads = [];
        }

        return stripes;
    }

    private struct Stripe
    {
        public TinyLock Lock;
        public Dictionary<int, LoadOperation> Loads;
    }
}
