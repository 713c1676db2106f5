using System.Runtime.InteropServices;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Frames;

/// <summary>
/// Hits on frames that the policy has chosen as a sample, on their way from the readers to the policy. Lossy: what comes
/// while a stripe is full, or while two threads write to one, is lost.
/// </summary>
/// <remarks>
/// Readers write without an atomic operation: to a stripe of their processor, and only on hits of sampled frames (one in a
/// thousand in a cache of 1 GiB). The policy empties the stripes under its lock, before it decides anything. A reader that
/// writes meanwhile may bring an entry back that was taken: it counts twice, and nothing else happens.
/// </remarks>
internal sealed class HitSamples
{
    private const int EntriesInStripe = 30;

    private readonly Stripe[] _stripes = new Stripe[StripeCount()];

    public long Bytes => _stripes.LongLength * 128;

    /// <summary>A sampled frame was used.</summary>
    public void Add(int frame)
    {
        ref var stripe = ref _stripes[Thread.GetCurrentProcessorId() & (_stripes.Length - 1)];
        var count = Atomic.LoadAcquire(ref stripe.Count);
        if ((uint)count < EntriesInStripe)
        {
            stripe.Frames[count] = frame;
            Atomic.StoreRelease(ref stripe.Count, count + 1);
        }
    }

    /// <summary>Takes out what there is. One caller at a time.</summary>
    /// <param name="taken">Receives frames.</param>
    public void TakeAll(List<int> taken)
    {
        for (var i = 0; i < _stripes.Length; i++)
        {
            ref var stripe = ref _stripes[i];
            var count = Atomic.LoadAcquire(ref stripe.Count);
            if (count == 0)
            {
                continue;
            }

            foreach (var frame in ((ReadOnlySpan<int>)stripe.Frames)[..count])
            {
                taken.Add(frame);
            }

            Atomic.StoreRelease(ref stripe.Count, 0);
        }
    }

    private static int StripeCount() =>
        (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, 64));

    [StructLayout(LayoutKind.Sequential)]
    private struct Stripe
    {
        public int Count;
        public Entries Frames;
        private readonly int _padding;
    }

    [System.Runtime.CompilerServices.InlineArray(EntriesInStripe)]
    private struct Entries
    {
        private int _first;
    }
}
