using System.Diagnostics;
using SharedPageCache.Memory;

namespace SharedPageCache.Eviction;

/// <summary>
/// Remembers the blocks that were added last, as fingerprints: a first-in first-out set of bounded size that sometimes
/// forgets a little early and very rarely takes one block for another.
/// </summary>
/// <remarks>
/// <para>
/// <b>Shape.</b> A table of buckets of one cache line each; the upper half of a block's hash names its bucket, the
/// lower bits are its fingerprint. No ring, no links: age stands in the entry.
/// </para>
/// <code>
///   bucket: 16 entries of 4 bytes, 10 of them in use on average
///
///    31                        10 9            0
///   +----------------------------+--------------+
///   | fingerprint (22), never 0  | epoch (10)   |      0 = empty
///   +----------------------------+--------------+
///
///   epochs, a ring of 1024:   expired, being swept │ oldest ........... youngest │ not yet used
///                                                  │◀── at most 960 ───────────▶│
/// </code>
/// <para>
/// <b>Epochs.</b> An epoch is 1/128 of the capacity in additions. How many entries of each are still there is counted;
/// when more than the capacity are there the oldest epoch expires as a whole: its entries stay where they are and no
/// longer count. So the set holds the last <i>capacity</i> blocks that were not taken out again, to within 1/128, as a
/// queue would. Blocks that are taken out leave room for older ones, up to 7.5 times the capacity in additions back:
/// loops take out most of what was added, and a shorter memory shows in their hit ratios.
/// </para>
/// <para>
/// <b>Sweep.</b> Before the number of an expired epoch comes round again, at least 64 epochs later, no entry may carry
/// it. Every fourth addition clears the expired entries of the next bucket: in 64 epochs, half the capacity in
/// additions, that is an eighth of the capacity in buckets, and the table has a tenth.
/// </para>
/// <para>
/// <b>Errors.</b> A full bucket gives up its oldest entry: about one entry in twenty is forgotten early, most of them
/// in the last quarter of their time. A block that was never added is found with probability 10/2^22, one in 400,000.
/// Either way a page starts in the other queue, nothing more.
/// </para>
/// <para>
/// <b>Costs.</b> 6.4 bytes an entry, one cache line an operation, and 4 KiB of counts. A ring of fingerprints with a
/// hash index over it, which would forget exactly, takes about ten bytes and three cache lines.
/// </para>
/// <para>
/// Buckets of fingerprints with a time are the paper's idea (Yang et al., SOSP 2023); epochs keep time and
/// fingerprint within four bytes for any size.
/// </para>
/// </remarks>
internal sealed class GhostSet
{
    private const int BucketEntries = 16;
    private const int UsedEntries = 10;
    private const int EpochBits = 10;
    private const int EpochRing = 1 << EpochBits;
    private const int EpochsInCapacity = EpochRing / 8;
    private const int EpochsAtMost = EpochRing - (EpochRing / 16);
    private const int AdditionsInSweepStep = 4;

    private readonly int _capacity;
    private readonly int _epochAdditions;
    private readonly int _bucketCount;
    private readonly NativeArray<uint> _entries;
    private readonly int[] _countInEpoch = new int[EpochRing];
    private int _oldest;
    private int _youngest;
    private int _additionsInYoungest;
    private int _sweepBucket;
    private int _additionsUntilSweep = AdditionsInSweepStep;

    /// <summary>Makes an empty set.</summary>
    /// <param name="capacity">How many blocks it remembers.</param>
    public GhostSet(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        _capacity = capacity;
        _epochAdditions = CeilingOf(capacity, EpochsInCapacity);
        _bucketCount = CeilingOf(capacity, UsedEntries);
        _entries = new NativeArray<uint>(checked(_bucketCount * BucketEntries));
    }

    /// <summary>How many blocks the set remembers now; never more than its capacity.</summary>
    public int Count { get; private set; }

    public long Bytes => _entries.Bytes + (_countInEpoch.Length * sizeof(int));

    /// <summary>Epochs in use, the youngest among them.</summary>
    private int EpochCount => AgeOf(_oldest) + 1;

    /// <summary>Remembers a block; one that is remembered already counts as new.</summary>
    /// <param name="hash">A well-mixed hash of the block.</param>
    public void Add(ulong hash)
    {
        Tick();
        var fingerprint = FingerprintOf(hash);
        var place = PlaceFor(BucketOf(hash), fingerprint);
        Forget(place);
        _entries[place] = fingerprint | (uint)_youngest;
        _countInEpoch[_youngest]++;
        Count++;
        while (Count > _capacity)
        {
            ExpireOldest();
        }

        AssertInvariants();
    }

    /// <summary>Takes a block out if it is remembered.</summary>
    /// <param name="hash">The hash that it was added by.</param>
    public bool TryTake(ulong hash)
    {
        var bucket = BucketOf(hash);
        var fingerprint = FingerprintOf(hash);
        for (var place = bucket; place < bucket + BucketEntries; place++)
        {
            var entry = _entries[place];
            if (IsOf(entry, fingerprint) && IsRemembered(entry))
            {
                Forget(place);
                return true;
            }
        }

        return false;
    }

    private static int CeilingOf(int dividend, int divisor) => (int)(((long)dividend + divisor - 1) / divisor);

    /// <summary>The fingerprint in the bits where an entry has it.</summary>
    private static uint FingerprintOf(ulong hash)
    {
        var fingerprint = (uint)hash << EpochBits;
        return fingerprint == 0 ? 1u << EpochBits : fingerprint;
    }

    private static bool IsOf(uint entry, uint fingerprint) => (entry ^ fingerprint) >> EpochBits == 0;

    private static int EpochOf(uint entry) => (int)entry & (EpochRing - 1);

    private static int After(int epoch) => (epoch + 1) & (EpochRing - 1);

    /// <summary>The first entry of the block's bucket.</summary>
    private int BucketOf(ulong hash) => (int)((hash >> 32) * (ulong)_bucketCount >> 32) * BucketEntries;

    /// <summary>How many epochs ago an epoch was.</summary>
    private int AgeOf(int epoch) => (_youngest - epoch) & (EpochRing - 1);

    private bool IsRemembered(uint entry) => entry != 0 && AgeOf(EpochOf(entry)) < EpochCount;

    /// <summary>The entry of a bucket to write: the block's own, else one out of use, else the oldest.</summary>
    private int PlaceFor(int bucket, uint fingerprint)
    {
        var best = bucket;
        var bestAge = -1;
        for (var place = bucket; place < bucket + BucketEntries; place++)
        {
            var entry = _entries[place];
            var age = int.MaxValue;
            if (IsRemembered(entry))
            {
                if (IsOf(entry, fingerprint))
                {
                    return place;
                }

                age = AgeOf(EpochOf(entry));
            }

            if (age > bestAge)
            {
                best = place;
                bestAge = age;
            }
        }

        return best;
    }

    private void Forget(int place)
    {
        var entry = _entries[place];
        if (IsRemembered(entry))
        {
            _countInEpoch[EpochOf(entry)]--;
            Count--;
        }

        _entries[place] = 0;
    }

    /// <summary>One addition's worth of time.</summary>
    private void Tick()
    {
        if (_additionsInYoungest == _epochAdditions)
        {
            if (EpochCount == EpochsAtMost)
            {
                ExpireOldest();
            }

            _youngest = After(_youngest);
            _additionsInYoungest = 0;
        }

        _additionsInYoungest++;
        if (--_additionsUntilSweep == 0)
        {
            _additionsUntilSweep = AdditionsInSweepStep;
            SweepNextBucket();
        }
    }

    private void ExpireOldest()
    {
        Count -= _countInEpoch[_oldest];
        _countInEpoch[_oldest] = 0;
        _oldest = After(_oldest);
    }

    private void SweepNextBucket()
    {
        var bucket = _sweepBucket * BucketEntries;
        for (var place = bucket; place < bucket + BucketEntries; place++)
        {
            if (!IsRemembered(_entries[place]))
            {
                _entries[place] = 0;
            }
        }

        _sweepBucket = _sweepBucket + 1 == _bucketCount ? 0 : _sweepBucket + 1;
    }

    [Conditional("DEBUG")]
    private void AssertInvariants()
    {
        Debug.Assert(Count >= 0 && Count <= _capacity, "the set is bounded");
        Debug.Assert(EpochCount <= EpochsAtMost, "the epochs out of use leave time for the sweep");
        Debug.Assert(_countInEpoch[_youngest] > 0, "what was just added is remembered");
        Debug.Assert(_countInEpoch[_youngest] <= _epochAdditions, "an epoch has no more entries than additions");
    }
}
