namespace SharedPageCache.Reflink;

/// <summary>
/// Counts, for every address of a volume, how many open files show it, and names one of them as its witness.
/// </summary>
/// <remarks>
/// <para>
/// <b>Promise.</b> The ledger is a function address -> (count, witness), zero almost everywhere. It is kept as disjoint
/// segments in a treap ordered by address (R. Seidel, C. R. Aragon, "Randomized search trees", 1996): each call costs
/// O(log n) and the segments it touches, so a file of e extents is added or removed in O(e log n) while the files that
/// overlap it are cut alike.
/// </para>
/// <para>
/// <b>Invariants.</b> Segments do not overlap and are not empty; every count is positive; neighbours that touch differ in
/// count or witness (else they are one segment). Not thread safe: the volume's lock guards it.
/// </para>
/// </remarks>
/// <typeparam name="T">Who shows runs.</typeparam>
internal sealed class RunLedger<T>
    where T : class
{
    private Node? _root;
    private uint _random = 0x9E3779B9;

    /// <summary>A run of addresses that all have the same count and witness.</summary>
    /// <param name="Start">First address.</param>
    /// <param name="End">The address after the last.</param>
    /// <param name="Count">How many show it.</param>
    /// <param name="Witness">One of them, or null if the one that was known has gone.</param>
    public readonly record struct Segment(long Start, long End, int Count, T? Witness);

    /// <summary>All segments, ascending.</summary>
    public List<Segment> ToList()
    {
        var segments = new List<Segment>();
        Collect(_root, segments);
        return segments;
    }

    /// <summary>The segments that overlap a range, clipped to it, ascending.</summary>
    public void FindOverlaps(long start, long end, List<Segment> found) => Overlaps(_root, start, end, found);

    /// <summary>Counts one more file for a range; addresses that nobody showed get it as their witness.</summary>
    public void Add(long start, long end, T owner)
    {
        Rewrite(start, end, (old, fresh) =>
        {
            var at = start;
            foreach (var segment in old)
            {
                if (at < segment.Start)
                {
                    fresh.Add(new Segment(at, segment.Start, 1, owner));
                }

                fresh.Add(segment with { Count = checked(segment.Count + 1) });
                at = segment.End;
            }

            if (at < end)
            {
                fresh.Add(new Segment(at, end, 1, owner));
            }
        });
    }

    /// <summary>Counts one file less for a range, and no longer calls it a witness there.</summary>
    /// <param name="start">First address.</param>
    /// <param name="end">The address after the last.</param>
    /// <param name="owner">Who was added for exactly these addresses before.</param>
    /// <param name="freed">Receives the parts that nobody shows any more.</param>
    /// <exception cref="InvalidOperationException">Part of the range was not counted.</exception>
    public void Remove(long start, long end, T owner, List<Segment> freed)
    {
        Rewrite(start, end, (old, fresh) =>
        {
            var at = start;
            foreach (var segment in old)
            {
                if (segment.Start != at)
                {
                    break;
                }

                var witness = ReferenceEquals(segment.Witness, owner) ? null : segment.Witness;
                (segment.Count == 1 ? freed : fresh).Add(segment with { Count = segment.Count - 1, Witness = witness });
                at = segment.End;
            }

            if (at != end)
            {
                throw new InvalidOperationException($"Addresses [{at}, {end}) are not counted.");
            }
        });
    }

    /// <summary>Names another witness for a range that is counted.</summary>
    public void SetWitness(long start, long end, T witness)
    {
        Rewrite(start, end, (old, fresh) =>
        {
            foreach (var segment in old)
            {
                fresh.Add(segment with { Witness = witness });
            }
        });
    }

    /// <summary>Names another witness where one is named that is none any more.</summary>
    public void ReplaceWitness(long start, long end, T former, T witness)
    {
        Rewrite(start, end, (old, fresh) =>
        {
            foreach (var segment in old)
            {
                fresh.Add(ReferenceEquals(segment.Witness, former) ? segment with { Witness = witness } : segment);
            }
        });
    }

    /// <summary>Checks the invariants.</summary>
    /// <exception cref="InvalidOperationException">One of them is broken.</exception>
    public void Verify()
    {
        var segments = ToList();
        for (var i = 0; i < segments.Count; i++)
        {
            var segment = segments[i];
            Check(segment.Start < segment.End && segment.Count > 0, $"empty {segment}");
            if (i > 0)
            {
                var last = segments[i - 1];
                Check(last.End <= segment.Start, $"{last} overlaps {segment}");
                Check(!Continues(last, segment), $"{last} and {segment} are one");
            }
        }

        static void Check(bool holds, string message)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"The ledger of runs is corrupt: {message}.");
            }
        }
    }

    /// <summary>Takes a range out, lets it be written anew, and puts it back, joined with its neighbours.</summary>
    private void Rewrite(long start, long end, Action<List<Segment>, List<Segment>> rewrite)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(start, end);
        var old = new List<Segment>();
        Overlaps(_root, start, end, old);
        var fresh = new List<Segment>(old.Count + 2);
        rewrite(old, fresh);

        var (left, rest) = Split(Cut(_root, start), start);
        var (_, right) = Split(Cut(rest, end), end);
        foreach (var segment in fresh)
        {
            left = Append(left, segment);
        }

        // Only the first segment on the right can continue the last one on the left.
        if (First(right) is { } first && Last(left) is { } last && Continues(last.Segment, first.Segment))
        {
            (_, right) = Split(right, first.Segment.End);
            left = Append(left, first.Segment);
        }

        _root = Join(left, right);
    }

    private Node? Append(Node? root, Segment segment)
    {
        if (Last(root) is { } last && Continues(last.Segment, segment))
        {
            last.Segment = last.Segment with { End = segment.End };
            return root;
        }

        return Join(root, new Node(segment, NextPriority()));
    }

    /// <summary>Makes sure that a segment boundary lies at an address.</summary>
    private Node? Cut(Node? root, long at)
    {
        var node = root;
        while (node is not null && !(node.Segment.Start < at && at < node.Segment.End))
        {
            node = at <= node.Segment.Start ? node.Left : node.Right;
        }

        if (node is null)
        {
            return root;
        }

        var upper = node.Segment with { Start = at };
        node.Segment = node.Segment with { End = at };
        var (left, right) = Split(root, at);
        return Join(Join(left, new Node(upper, NextPriority())), right);
    }

    private static bool Continues(Segment left, Segment right) =>
        left.End == right.Start && left.Count == right.Count && ReferenceEquals(left.Witness, right.Witness);

    /// <summary>Splits into the segments that start before an address and the others.</summary>
    private static (Node? Left, Node? Right) Split(Node? node, long at)
    {
        if (node is null)
        {
            return (null, null);
        }

        if (node.Segment.Start < at)
        {
            (node.Right, var right) = Split(node.Right, at);
            return (node, right);
        }

        (var left, node.Left) = Split(node.Left, at);
        return (left, node);
    }

    private static Node? Join(Node? left, Node? right)
    {
        if (left is null || right is null)
        {
            return left ?? right;
        }

        if (left.Priority > right.Priority)
        {
            left.Right = Join(left.Right, right);
            return left;
        }

        right.Left = Join(left, right.Left);
        return right;
    }

    private static Node? First(Node? node)
    {
        while (node?.Left is { } left)
        {
            node = left;
        }

        return node;
    }

    private static Node? Last(Node? node)
    {
        while (node?.Right is { } right)
        {
            node = right;
        }

        return node;
    }

    private static void Collect(Node? node, List<Segment> segments)
    {
        if (node is not null)
        {
            Collect(node.Left, segments);
            segments.Add(node.Segment);
            Collect(node.Right, segments);
        }
    }

    private static void Overlaps(Node? node, long start, long end, List<Segment> found)
    {
        if (node is null)
        {
            return;
        }

        var segment = node.Segment;
        if (segment.Start > start)
        {
            Overlaps(node.Left, start, end, found);
        }

        if (segment.Start < end && segment.End > start)
        {
            found.Add(segment with { Start = Math.Max(segment.Start, start), End = Math.Min(segment.End, end) });
        }

        if (segment.End < end)
        {
            Overlaps(node.Right, start, end, found);
        }
    }

    /// <summary>Xorshift (G. Marsaglia, 2003): balance needs no better numbers, and a fixed start makes runs repeatable.</summary>
    private uint NextPriority()
    {
        _random ^= _random << 13;
        _random ^= _random >> 17;
        _random ^= _random << 5;
        return _random;
    }

    private sealed class Node(Segment segment, uint priority)
    {
        public Segment Segment = segment;
        public readonly uint Priority = priority;
        public Node? Left;
        public Node? Right;
    }
}
