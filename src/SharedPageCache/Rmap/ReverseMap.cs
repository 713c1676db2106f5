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
/// <b>States of a record word.</b> 0 (nowhere) -> one place -> chain (up to <see cref="LongestChain"/> places) -> set -> 0.
/// The first place is a compare-and-swap into the header; the rest is guarded by one lock for each stripe of frames: a
/// word that has left the state "one place" is only changed under it. The common check, "is my place there already?", is
/// one load.
/// </para>
/// <para>
/// <b>Guard.</b> <see cref="Add"/> is called under a pin of the frame (or by its loader), <see cref="Clear"/> by the only
/// owner of a frame that has just come free: they never meet on one tenancy. <see cref="Remove"/> may be called at any
/// time, but only for a place that nobody adds any more; it changes the word under the lock, and only away from what it
/// finds there.
/// </para>
/// <para>
/// <b>Cost.</b> Nothing beyond the header for one place, 16 bytes a place for a few, 24 for many.
/// </para>
/// </remarks>
internal sealed class ReverseMap(FrameTable frames)
{
    /// <summary>More places than this are kept in a hash set, so that adding stays O(1).</summary>
    public const int LongestChain = 8;

    private const long Chained = long.MinValue;
    private const long InSet = Chained | 1L << 62;
    private const int StripeCount = 64;

    private readonly Stripe[] _stripes = MakeStripes();
    private readonly ObjectPool<HashSet<long>> _sets = ObjectPool.Create(new SetPolicy());

    /// <summary>Memory beyond the headers, in bytes; an estimate for the sets.</summary>
    public long OverflowBytes
    {
        get
        {
            long bytes = 0;
            for (var i = 0; i < _stripes.Length; i++)
            {
                bytes += Atomic.LoadAcquire(ref _stripes[i].Bytes);
            }

            return bytes;
        }
    }

    public void Add(int frame, Place place)
    {
        ref var record = ref frames[frame].Record;
        var word = Atomic.LoadAcquire(ref record);
        if (word == 0)
        {
            word = Atomic.CompareExchange(ref record, place.Packed, 0);
        }

        if (word != 0 && word != place.Packed)
        {
            AddToMany(frame, ref record, place.Packed);
        }
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

        if (word > 0)
        {
            places[0] = new Place(word);
            return 1;
        }

        ref var stripe = ref Enter(frame);
        try
        {
            return stripe.CopyTo(frame, Atomic.LoadAcquire(ref frames[frame].Record), places);
        }
        finally
        {
            stripe.Lock.Exit();
        }
    }

    public bool Contains(int frame, Place place)
    {
        var word = Atomic.LoadAcquire(ref frames[frame].Record);
        if (word >= 0)
        {
            return word != 0 && word == place.Packed;
        }

        ref var stripe = ref Enter(frame);
        try
        {
            return stripe.Contains(frame, Atomic.LoadAcquire(ref frames[frame].Record), place.Packed, out _);
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
        if (word >= 0)
        {
            return word == 0 ? 0 : 1;
        }

        ref var stripe = ref Enter(frame);
        try
        {
            return stripe.Count(frame, Atomic.LoadAcquire(ref frames[frame].Record));
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
        var word = Atomic.LoadAcquire(ref record);
        if (word < 0)
        {
            ClearMany(frame);
        }
        else
        {
            Atomic.StoreRelease(ref record, 0);
        }
    }

    /// <summary>Forgets one place of a frame, where nobody installs any more.</summary>
    public void Remove(int frame, Place place)
    {
        ref var record = ref frames[frame].Record;
        if (Atomic.LoadAcquire(ref record) == 0)
        {
            return;
        }

        ref var stripe = ref Enter(frame);
        try
        {
            var word = Atomic.LoadAcquire(ref record);
            if (word >= 0)
            {
                if (word == place.Packed)
                {
                    Atomic.CompareExchange(ref record, 0, word);
                }
            }
            else if ((word & InSet) == InSet)
            {
                stripe.PlacesInSets -= stripe.Sets[frame].Remove(place.Packed) ? 1 : 0;
                stripe.Recount();
            }
            else
            {
                var head = stripe.Chains.Remove((int)(uint)word, place.Packed);
                Atomic.StoreRelease(ref record, head < 0 ? 0 : Chained | (uint)head);
            }
        }
        finally
        {
            stripe.Lock.Exit();
        }
    }

    private static Stripe[] MakeStripes()
    {
        var stripes = new Stripe[StripeCount];
        for (var i = 0; i < stripes.Length; i++)
        {
            stripes[i].Chains = new PlaceChains();
            stripes[i].Sets = [];
        }

        return stripes;
    }

    private void AddToMany(int frame, ref long record, long place)
    {
        ref var stripe = ref Enter(frame);
        try
        {
            var word = Atomic.CompareExchange(ref record, place, 0);
            if (word == 0 || word == place)
            {
                // The place that was there before has been removed.
                return;
            }

            if (word > 0)
            {
                // The first place stays where it is until the chain is published in its stead.
                word = Chained | (uint)stripe.Chains.Prepend(-1, word);
            }

            if (stripe.Contains(frame, word, place, out var length))
            {
                return;
            }

            if ((word & InSet) == InSet)
            {
                stripe.Sets[frame].Add(place);
                stripe.PlacesInSets++;
            }
            else if (length < LongestChain)
            {
                Atomic.StoreRelease(ref record, Chained | (uint)stripe.Chains.Prepend((int)(uint)word, place));
            }
            else
            {
                var set = _sets.Get();
                stripe.MoveTo(set, (int)(uint)word);
                set.Add(place);
                stripe.PlacesInSets += set.Count;
                stripe.Sets.Add(frame, set);
                Atomic.StoreRelease(ref record, InSet);
            }

            stripe.Recount();
        }
        finally
        {
            stripe.Lock.Exit();
        }
    }

    private void ClearMany(int frame)
    {
        ref var stripe = ref Enter(frame);
        try
        {
            var word = Atomic.LoadAcquire(ref frames[frame].Record);
            if (word >= 0)
            {
                // The last place of its chain has been removed.
            }
            else if ((word & InSet) == InSet)
            {
                stripe.Sets.Remove(frame, out var set);
                stripe.PlacesInSets -= set!.Count;
                _sets.Return(set);
            }
            else
            {
                stripe.Chains.Free((int)(uint)word);
            }

            // Under the lock: who looks at a frame that it does not own (verification) never follows freed links.
            Atomic.StoreRelease(ref frames[frame].Record, 0);
            stripe.Recount();
        }
        finally
        {
            stripe.Lock.Exit();
        }
    }

    private ref Stripe Enter(int frame)
    {
        ref var stripe = ref _stripes[frame & (StripeCount - 1)];
        stripe.Lock.Enter();
        return ref stripe;
    }

    /// <summary>What one lock guards.</summary>
    private struct Stripe
    {
        public TinyLock Lock;
        public PlaceChains Chains;
        public Dictionary<int, HashSet<long>> Sets;
        public long PlacesInSets;
        public long Bytes;

        public readonly bool Contains(int frame, long word, long place, out int length)
        {
            length = 0;
            if (word >= 0)
            {
                // Cleared, or given to a new tenant, before the lock was taken.
                return word != 0 && word == place;
            }

            if ((word & InSet) == InSet)
            {
                return Sets[frame].Contains(place);
            }

            for (var link = (int)(uint)word; link >= 0; length++)
            {
                var (known, next) = Chains[link];
                if (known == place)
                {
                    return true;
                }

                link = next;
            }

            return false;
        }

        public readonly int Count(int frame, long word)
        {
            if (word >= 0)
            {
                return word == 0 ? 0 : 1;
            }

            if ((word & InSet) == InSet)
            {
                return Sets[frame].Count;
            }

            // No place is 0: the walk ends at the chain's end.
            Contains(frame, word, place: 0, out var length);
            return length;
        }

        public readonly int CopyTo(int frame, long word, Span<Place> places)
        {
            var count = 0;
            if (word >= 0)
            {
                if (word > 0)
                {
                    places[count++] = new Place(word);
                }

                return count;
            }

            if ((word & InSet) == InSet)
            {
                foreach (var place in Sets[frame])
                {
                    if (count == places.Length)
                    {
                        break;
                    }

                    places[count++] = new Place(place);
                }

                return count;
            }

            for (var link = (int)(uint)word; link >= 0 && count < places.Length;)
            {
                var (place, next) = Chains[link];
                places[count++] = new Place(place);
                link = next;
            }

            return count;
        }

        public readonly void MoveTo(HashSet<long> set, int head)
        {
            for (var link = head; link >= 0;)
            {
                var (place, next) = Chains[link];
                set.Add(place);
                link = next;
            }

            Chains.Free(head);
        }

        public void Recount() => Atomic.StoreRelease(ref Bytes, Chains.Bytes + PlacesInSets * 24);
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
