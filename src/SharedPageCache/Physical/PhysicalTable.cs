using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Memory;

namespace SharedPageCache.Physical;

/// <summary>
/// The physical page table: block identity -> frame. The one place where sharing is discovered. Look-up, insert and
/// delete are lock-free.
/// </summary>
/// <remarks>
/// <para>
/// <b>Promise.</b> At most one frame of an identity is in the table. A look-up that runs while its block is in the table
/// the whole time finds it. Who removed a frame may recycle it as soon as <see cref="Remove"/> returns.
/// </para>
/// <para>
/// <b>Shape.</b> A fixed array of buckets, each the head of a list that runs through the frame headers (the list-based
/// sets of T. L. Harris, DISC 2001, and M. M. Michael, SPAA 2002, with Michael's version tags instead of hazard pointers:
/// headers are never unmapped, so a stale step is harmless as long as it is noticed). Three buckets for eight
/// frames keep chains short (2.7 on average) for 3 bytes a frame.
/// </para>
/// <code>
///   link word (bucket or header.Next):  63       33   32   31        0
///                                      +-----------+------+-----------+
///                                      | tag (31)  | mark | frame + 1 |
///                                      +-----------+------+-----------+
/// </code>
/// <para>
/// <b>States of a frame in a chain.</b> linked (its Next is unmarked) -> deleted (Next marked: the compare-and-swap that
/// marks it decides who removed it) -> unlinked (its predecessor passes it by). A new frame is appended at the end of the
/// chain, so two inserters of one identity compete for the same last link: one wins, the other walks on and finds it.
/// </para>
/// <para>
/// <b>Why each step is safe.</b> Every store to a link advances the link's own tag, also when a frame is recycled into
/// another chain, so "the predecessor's link still has the value that I read" means that the frame was in this chain, at
/// this place, at that moment, and that its identity (written before it was linked, by the release of the linking
/// compare-and-swap) is the one just read. The reads of a frame's Next and identity are kept before the re-check of the
/// predecessor by a read barrier. Tags wrap after 2^31 changes of one link inside one step of one reader.
/// </para>
/// </remarks>
internal sealed class PhysicalTable
{
    private const long FrameMask = uint.MaxValue;
    private const long Mark = 1L << 32;
    private const int TagShift = 33;

    private readonly FrameTable _frames;
    private readonly NativeArray<long> _buckets;

    public PhysicalTable(FrameTable frames)
    {
        _frames = frames;
        _buckets = new NativeArray<long>(Math.Max(8, (int)(frames.Count * 3L / 8)), hugePages: true);
    }

    public long Bytes => _buckets.Bytes;

    /// <summary>Finds the frame of a block. The caller pins it and checks its identity and state again.</summary>
    /// <returns>The frame, or -1.</returns>
    public int Find(BlockIdentity identity)
    {
        Search(identity, frame: -1, out var found, out _);
        return found;
    }

    /// <summary>
    /// Has the processor fetch what a look-up that is soon to come will go by: the bucket, or what a number of links behind it leads to. A hint
    /// for who goes through blocks in a row and calls it a step further for each: what is followed came before, and nothing of it is believed
    /// (plain loads of memory that is never unmapped).
    /// </summary>
    /// <returns>The frame that seems to hold the block, if the way to it was followed; else -1.</returns>
    public int Prefetch(BlockIdentity identity, int links)
    {
        var bucket = BucketOf(identity);
        if (links == 0)
        {
            _buckets.Prefetch(bucket);
            return -1;
        }

        var headers = _frames.Headers;
        var frame = (int)(_buckets[bucket] & FrameMask) - 1;
        for (; links > 1 && frame >= 0; links--)
        {
            if (headers[frame].Identity == identity.Packed)
            {
                return frame;
            }

            frame = (int)(headers[frame].Next & FrameMask) - 1;
        }

        if (frame >= 0)
        {
            headers.Prefetch(frame);
        }

        return -1;
    }

    /// <summary>Finds the frames of a block in all its generations, for a discard.</summary>
    public void FindAllGenerations(BlockIdentity identity, List<int> frames) =>
        Search(identity, frame: -1, out _, out _, frames);

    /// <summary>
    /// Adds a loading frame whose identity is set. The insertion is a full fence: what the caller looks at next (the
    /// region's clock) is at least as new as the moment the frame could be found.
    /// </summary>
    /// <returns>-1 when the frame is in, else the frame that already holds the block.</returns>
    public int TryInsert(int frame, BlockIdentity identity)
    {
        ref var next = ref _frames[frame].Next;
        while (true)
        {
            ref var last = ref Search(identity, frame: -1, out var found, out var end);
            if (found >= 0)
            {
                return found;
            }

            Atomic.StoreRelease(ref next, Link(0, marked: false, next));
            if (Atomic.CompareExchange(ref last, Link(frame + 1, marked: false, end), end) == end)
            {
                return -1;
            }
        }
    }

    /// <summary>Takes a frame out. Only its owner (claimant, failing loader, discarder) calls this, once.</summary>
    public void Remove(int frame, BlockIdentity identity)
    {
        ref var next = ref _frames[frame].Next;
        while (true)
        {
            var word = Atomic.LoadAcquire(ref next);
            if ((word & Mark) != 0)
            {
                throw new InvalidOperationException($"Broken invariant: frame {frame} was removed from the table twice.");
            }

            if (Atomic.CompareExchange(ref next, Link((int)(word & FrameMask), marked: true, word), word) == word)
            {
                break;
            }
        }

        // Passing over the frame unlinks it; only then may its header be linked anywhere else.
        Search(identity, frame, out _, out _);
    }

    /// <summary>Counts the frames in the table and hands each to a visitor. For verification, when nothing changes.</summary>
    public int ForEach(Action<int> visit)
    {
        var count = 0;
        for (var bucket = 0; bucket < _buckets.Length; bucket++)
        {
            var word = Atomic.LoadAcquire(ref _buckets[bucket]);
            while ((word & FrameMask) != 0)
            {
                var frame = (int)(word & FrameMask) - 1;
                word = Atomic.LoadAcquire(ref _frames[frame].Next);
                if ((word & Mark) == 0)
                {
                    visit(frame);
                    count++;
                }
            }
        }

        return count;
    }

    /// <summary>
    /// Walks the chain of an identity, unlinking deleted frames on the way.
    /// </summary>
    /// <param name="identity">What is looked for.</param>
    /// <param name="frame">
    /// A deleted frame that must be unlinked when the walk returns, or -1. An equal identity that was appended behind it
    /// must then not end the walk early; it cannot stand before it.
    /// </param>
    /// <param name="found">The live frame of that identity, or -1.</param>
    /// <param name="observed">
    /// The word that the returned link held when its frame was last known to be in the chain: an append swaps against
    /// exactly this word, so it fails if that frame has been deleted (or recycled into another chain) since.
    /// </param>
    /// <param name="allGenerations">If given, collects all frames of the block, and the walk goes to the end.</param>
    /// <returns>The link that points to the found frame, or the last link of the chain.</returns>
    private ref long Search(BlockIdentity identity, int frame, out int found, out long observed, List<int>? allGenerations = null)
    {
        ref var bucket = ref _buckets[BucketOf(identity)];
    restart:
        allGenerations?.Clear();
        ref var previous = ref bucket;
        var current = Atomic.LoadAcquire(ref previous);
        while (true)
        {
            if ((current & Mark) != 0)
            {
                // The frame that holds this link was deleted under us.
                goto restart;
            }

            var index = (int)(current & FrameMask) - 1;
            if (index < 0)
            {
                found = -1;
                observed = current;
                return ref previous;
            }

            ref var next = ref _frames[index].Next;
            var following = Atomic.LoadAcquire(ref next);
            var seen = _frames.IdentityOf(index);
            Atomic.ReadBarrier();
            if (Atomic.LoadAcquire(ref previous) != current)
            {
                goto restart;
            }

            if ((following & Mark) != 0)
            {
                var passed = Link((int)(following & FrameMask), marked: false, current);
                if (Atomic.CompareExchange(ref previous, passed, current) != current)
                {
                    goto restart;
                }

                current = passed;
                continue;
            }

            if (allGenerations is not null)
            {
                if (seen.Packed == identity.Packed)
                {
                    allGenerations.Add(index);
                }
            }
            else if (seen == identity && index != frame)
            {
                found = index;
                observed = current;
                return ref previous;
            }

            previous = ref next;
            current = following;
        }
    }

    private int BucketOf(BlockIdentity identity) => (int)Math.BigMul(identity.Hash, (ulong)_buckets.Length, out _);

    private static long Link(int frameNumber, bool marked, long replaced)
    {
        var tag = (replaced >>> TagShift) + 1;
        return tag << TagShift | (marked ? Mark : 0) | (uint)frameNumber;
    }
}
