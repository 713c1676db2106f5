using Microsoft.Extensions.ObjectPool;
using SharedPageCache.Concurrency;
using SharedPageCache.Frames;

namespace SharedPageCache.Rmap;

/// <summary>
/// The reverse map: frame -> places. A place is a slot of a <em>family</em> of leaves (all copies of one window of a
/// tree), so a page that 10,000 clones show has one record, and only a page that also shows at other offsets or in
/// unrelated trees has more.
/// </summary>
/// <remarks>
/// <para>
/// <b>Promise.</b> Whoever installs a resident reference has added its place before. Records are exact at the level of
/// families: a record may outlive the reference (a bounded walk, a closed file), and a family number may have been given
/// out again; whoever follows a record compares the reference that it finds there with the frame and its generation.
/// </para>
/// <para>
/// <b>States of a record word.</b> 0 (nowhere) -> one place -> overflow -> 0. The first place is a compare-and-swap into
/// the header; more places live in a set, guarded by one lock for each stripe of frames. The common check, "is my place
/// there already?", is one load.
/// </para>
/// <para>
/// <b>Guard.</b> <see cref="Add"/> is called under a pin of the frame (or by its loader), <see cref="Clear"/> by the only
/// owner of a frame that has just come free: they never meet on one tenancy.
/// </para>
/// </remarks>
internal sealed class ReverseMap(FrameTable frames)
{
    private const long Overflow = long.MinValue;
    private const int StripeCount = 64;

    private readonly Stripe[] _stripes = MakeStripes();
    private readonly ObjectPool<HashSet<long>> _sets = ObjectPool.Create(new SetPolicy());
    private long _overflowPlaces;

    /// <summary>Memory of the overflow sets, in bytes, as an estimate of 16 bytes a place.</summary>
    public long OverflowBytes => Atomic.LoadAcquire(ref _overflowPlaces) * 16;

    public void Add(int frame, Place place)
    {
        ref var record = ref frames[frame].Record;
        var word = Atomic.LoadAcquire(ref record);
        if (word == place.Packed)
        {
            return;
        }

        if (word == 0 && (word = Atomic.CompareExchange(ref record, place.Packed, 0)) is 0 || word == place.Packed)
        {
            return;
        }

        AddOverflow(frame, ref record, place);
    }

    /// <summary>Copies places of a frame, at most as many as fit.</summary>
    /// <returns>How many were copied.</returns>
    public int CopyTo(int frame, Span<Place> places)
    {
        var word = Atomic.LoadAcquire(ref frames[frame].Record);
        if (word == 0 || places.IsEmpty)
        {
            return 0;
        }

        if (word != Overflow)
        {
            places[0] = new Place(word);
            return 1;
        }

        ref var stripe = ref StripeOf(frame);
        stripe.Lock.Enter();
        try
        {
            var count = 0;
            if (stripe.Sets.TryGetValue(frame, out var set))
            {
                foreach (var packed in set)
                {
                    if (count == places.Length)
                    {
                        break;
                    }

                    places[count++] = new Place(packed);
                }
            }

            return count;
        }
        finally
        {
            stripe.Lock.Exit();
        }
    }

    public bool Contains(int frame, Place place)
    {
        var word = Atomic.LoadAcquire(ref frames[frame].Record);
        if (word != Overflow)
        {
            return word == place.Packed;
        }

        ref var stripe = ref StripeOf(frame);
        stripe.Lock.Enter();
        try
        {
            return stripe.Sets.TryGetValue(frame, out var set) && set.Contains(place.Packed);
        }
        finally
        {
            stripe.Lock.Exit();
        }
    }

    /// <summary>How many places the frame has.</summary>
    public int Count(int frame)
    {
        var word = Atomic.LoadAcquire(ref frames[frame].Record);
        if (word != Overflow)
        {
            return word == 0 ? 0 : 1;
        }

        ref var stripe = ref StripeOf(frame);
        stripe.Lock.Enter();
        try
        {
            return stripe.Sets.TryGetValue(frame, out var set) ? set.Count : 0;
        }
        finally
        {
            stripe.Lock.Exit();
        }
    }

    /// <summary>Forgets all places of a frame that has just come free.</summary>
    public void Clear(int frame)
    {
        ref var record = ref frames[frame].Record;
        if (Atomic.LoadAcquire(ref record) == Overflow)
        {
            ClearOverflow(frame);
        }

        Atomic.StoreRelease(ref record, 0);
    }

    private static Stripe[] MakeStripes()
    {
        var stripes = new Stripe[StripeCount];
        for (var i = 0; i < stripes.Length; i++)
        {
            stripes[i].Sets = [];
        }

        return stripes;
    }

    private void AddOverflow(int frame, ref long record, Place place)
    {
        ref var stripe = ref StripeOf(frame);
        stripe.Lock.Enter();
        try
        {
            if (!stripe.Sets.TryGetValue(frame, out var set))
            {
                // Under this lock the word can only go from one place to overflow, and only we do that.
                set = _sets.Get();
                set.Add(Atomic.LoadAcquire(ref record));
                stripe.Sets.Add(frame, set);
                Atomic.StoreRelease(ref record, Overflow);
                Atomic.Add(ref _overflowPlaces, 1);
            }

            if (set.Add(place.Packed))
            {
                Atomic.Add(ref _overflowPlaces, 1);
            }
        }
        finally
        {
            stripe.Lock.Exit();
        }
    }

    private void ClearOverflow(int frame)
    {
        ref var stripe = ref StripeOf(frame);
        stripe.Lock.Enter();
        try
        {
            if (stripe.Sets.Remove(frame, out var set))
            {
                Atomic.Add(ref _overflowPlaces, -set.Count);
                _sets.Return(set);
            }
        }
        finally
        {
            stripe.Lock.Exit();
        }
    }

    private ref Stripe StripeOf(int frame) => ref _stripes[frame & (StripeCount - 1)];

    private struct Stripe
    {
        public TinyLock Lock;
        public Dictionary<int, HashSet<long>> Sets;
    }

    private sealed class SetPolicy : PooledObjectPolicy<HashSet<long>>
    {
        /// <summary>A set that once was huge is not kept.</summary>
        private const int LargestKept = 64;

        public override HashSet<long> Create() => [];

        public override bool Return(HashSet<long> obj)
        {
            var keep = obj.Count <= LargestKept;
            obj.Clear();
            return keep;
        }
    }
}
