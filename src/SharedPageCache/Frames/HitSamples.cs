using SharedPageCache.Concurrency;

namespace SharedPageCache.Frames;

/// <summary>
/// Hits on frames that the policy has chosen as a sample, on their way from the readers to the policy. Lossy: what comes
/// while a stripe is full, or while two threads write to one, is lost.
/// </summary>
/// <remarks>
/// Readers write without an atomic operation: to a stripe of their processor, and only on hits of sampled frames (one in a
/// thousand in a cache of 1 GiB; all of them with LRU). The policy empties the stripes under its lock, before it decides anything. A reader that
/// writes meanwhile may bring an entry back that was taken: it counts twice, and nothing else happens.
/// <code>
///   stripe:  count | frame, frame, ...
/// </code>
/// </remarks>
/// <param name="entries">How many hits a stripe holds: two less than a multiple of 32, so that stripes are whole cache lines.</param>
internal sealed class HitSamples(int entries)
{
    /// <summary>For a policy that samples a few frames.</summary>
    public const int Few = 30;

    /// <summary>For a policy that hears of every hit: an eighth of the frames, 4 KiB at most.</summary>
    public static int ForAll(int frames) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(frames / 8, 32, 1024)) - 2;

    private static readonly int StripeCount =
        (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, 64));

    private readonly int[] _stripes = new int[StripeCount * (entries + 2)];

    public long Bytes => _stripes.LongLength * sizeof(int);

    /// <summary>No call of <see cref="TakeAll"/> brings more.</summary>
    public int MostEntries => StripeCount * entries;

    /// <summary>A sampled frame was used.</summary>
    public void Add(int frame)
    {
        var stripe = (Thread.GetCurrentProcessorId() & (StripeCount - 1)) * (entries + 2);
        var count = Atomic.LoadAcquire(ref _stripes[stripe]);
        if ((uint)count < (uint)entries)
        {
            _stripes[stripe + 1 + count] = frame;
            Atomic.StoreRelease(ref _stripes[stripe], count + 1);
        }
    }

    /// <summary>Takes out what there is. One caller at a time.</summary>
    /// <param name="taken">Receives frames.</param>
    public void TakeAll(List<int> taken)
    {
        for (var stripe = 0; stripe < _stripes.Length; stripe += entries + 2)
        {
            var count = Atomic.LoadAcquire(ref _stripes[stripe]);
            if (count == 0)
            {
                continue;
            }

            foreach (var frame in _stripes.AsSpan(stripe + 1, count))
            {
                taken.Add(frame);
            }

            Atomic.StoreRelease(ref _stripes[stripe], 0);
        }
    }
}
