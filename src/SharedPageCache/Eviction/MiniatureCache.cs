namespace SharedPageCache.Eviction;

/// <summary>
/// A simulation of <see cref="WindowTinyLfuPolicy"/> with few pages and no content, which sees a sample of the blocks: what
/// the hit ratio would be with another share of the window (C. Waldspurger, T. Saemundsson, I. Ahmad, N. Park, "Cache
/// Modeling and Optimization using Miniature Simulations", USENIX ATC 2017).
/// </summary>
/// <remarks>
/// The policy's own rules over two rings of slots and a small hash index; frequencies are those of the policy's sketch.
/// 19 bytes a page. Not thread-safe: under the reclaimer's lock.
/// </remarks>
internal sealed class MiniatureCache
{
    private const short None = -1;

    private readonly FrequencySketch _sketch;
    private readonly ulong[] _hashes;
    private readonly byte[] _uses;
    private readonly short[] _heads;
    private readonly short[] _next;
    private readonly short[] _free;
    private readonly Ring _window;
    private readonly Ring _main;
    private readonly int _windowShare;
    private int _freeCount;

    /// <summary>Makes an empty simulation.</summary>
    /// <param name="capacity">How many pages it holds, 2 or more.</param>
    /// <param name="windowShare">How many of them are the window's.</param>
    /// <param name="sketch">The frequencies.</param>
    public MiniatureCache(int capacity, int windowShare, FrequencySketch sketch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, short.MaxValue);
        (_sketch, _windowShare) = (sketch, windowShare);
        (_hashes, _uses, _next, _free) = (new ulong[capacity], new byte[capacity], new short[capacity], new short[capacity]);
        _heads = new short[capacity];
        _heads.AsSpan().Fill(None);
        (_window, _main) = (new Ring(capacity), new Ring(capacity));
        for (var slot = 0; slot < capacity; slot++)
        {
            _free[_freeCount++] = (short)slot;
        }
    }

    public long Bytes => _hashes.Length * (sizeof(ulong) + sizeof(byte) + 5L * sizeof(short));

    /// <summary>A block is asked for.</summary>
    /// <returns>Whether it would have been a hit.</returns>
    public bool Reference(ulong hash)
    {
        for (var slot = _heads[HeadOf(hash)]; slot != None; slot = _next[slot])
        {
            if (_hashes[slot] == hash)
            {
                _uses[slot] = (byte)Math.Min(Frames.FrameTable.MaxUse, _uses[slot] + 1);
                return true;
            }
        }

        if (_freeCount == 0)
        {
            Evict();
        }

        var taken = _free[--_freeCount];
        _hashes[taken] = hash;
        _uses[taken] = 0;
        ref var head = ref _heads[HeadOf(hash)];
        (_next[taken], head) = (head, taken);
        _window.Enqueue(taken);
        return false;
    }

    private int HeadOf(ulong hash) => (int)((hash & uint.MaxValue) * (ulong)_heads.Length >> 32);

    private void Evict()
    {
        while (_window.Count >= _windowShare || _main.Count == 0)
        {
            var candidate = _window.Oldest;
            if (_uses[candidate] > 0 || _main.Count < _hashes.Length - _windowShare)
            {
                _uses[candidate] = 0;
                _main.Enqueue(_window.Dequeue());
                continue;
            }

            var victim = OldestUnused();
            var asked = _sketch.Estimate(_hashes[candidate]);
            if (asked >= WindowTinyLfuPolicy.LeastAsked && asked > _sketch.Estimate(_hashes[victim]))
            {
                Free(_main.Dequeue());
                _main.Enqueue(_window.Dequeue());
            }
            else
            {
                Free(_window.Dequeue());
            }

            return;
        }

        OldestUnused();
        Free(_main.Dequeue());
    }

    /// <summary>Turns the main ring until its oldest slot is one that was not used.</summary>
    private short OldestUnused()
    {
        while (_uses[_main.Oldest] > 0)
        {
            _uses[_main.Oldest] = 0;
            _main.Enqueue(_main.Dequeue());
        }

        return _main.Oldest;
    }

    private void Free(short slot)
    {
        ref var link = ref _heads[HeadOf(_hashes[slot])];
        while (link != slot)
        {
            link = ref _next[link];
        }

        link = _next[slot];
        _free[_freeCount++] = slot;
    }

    private sealed class Ring(int capacity)
    {
        private readonly short[] _slots = new short[capacity];
        private int _first;

        public int Count { get; private set; }

        public short Oldest => _slots[_first];

        public void Enqueue(short slot)
        {
            var last = _first + Count++;
            _slots[last < _slots.Length ? last : last - _slots.Length] = slot;
        }

        public short Dequeue()
        {
            var slot = _slots[_first];
            _first = _first + 1 == _slots.Length ? 0 : _first + 1;
            Count--;
            return slot;
        }
    }
}
