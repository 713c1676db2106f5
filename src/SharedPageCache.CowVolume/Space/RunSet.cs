namespace SharedPageCache.Cow.Space;

/// <summary>
/// A set of blocks, kept as runs that neither overlap nor touch, in two orders: by place, to find neighbours, and by
/// length, to find room. Every operation is O(log runs).
/// </summary>
internal sealed class RunSet
{
    private readonly SortedSet<Run> _byStart = new(Comparer<Run>.Create(static (a, b) => a.Start.CompareTo(b.Start)));

    private readonly SortedSet<Run> _byLength = new(Comparer<Run>.Create(static (a, b) =>
        a.Count != b.Count ? a.Count.CompareTo(b.Count) : a.Start.CompareTo(b.Start)));

    /// <summary>How many blocks are in the set.</summary>
    public long Blocks { get; private set; }

    /// <summary>The runs, in ascending order.</summary>
    public IEnumerable<Run> Runs => _byStart;

    /// <summary>The runs, the longest first.</summary>
    public IEnumerable<Run> LongestFirst => _byLength.Reverse();

    /// <summary>The run with the highest blocks.</summary>
    public Run? Last => _byStart.Count == 0 ? null : _byStart.Max;

    /// <summary>Whether all blocks of a run are in the set.</summary>
    public bool Contains(Run run) => AtOrBefore(run.Start) is { } found && found.End >= run.End;

    /// <summary>The first run that ends behind a block: the one that it lies in, or the next.</summary>
    public Run? AtOrAfter(long block)
    {
        if (AtOrBefore(block) is { } found && found.End > block)
        {
            return found;
        }

        var after = _byStart.GetViewBetween(new Run(block, 0), new Run(long.MaxValue, 0));
        return after.Count == 0 ? null : after.Min;
    }

    /// <summary>The shortest run of at least so many blocks.</summary>
    public Run? Fitting(long count)
    {
        if (_byLength.Count == 0 || _byLength.Max.Count < count)
        {
            return null;
        }

        return _byLength.GetViewBetween(new Run(0, count), new Run(long.MaxValue, long.MaxValue)).Min;
    }

    /// <summary>Adds blocks that are not in the set.</summary>
    public void Add(Run run)
    {
        var before = AtOrBefore(run.Start);
        var after = AtOrAfter(run.Start);
        if ((before is { } left && left.End > run.Start) || (after is { } right && right.Start < run.End))
        {
            throw new InvalidOperationException($"{run} overlap a run that is there already.");
        }

        Blocks += run.Count;
        if (before is { } touching && touching.End == run.Start)
        {
            Drop(touching);
            run = new Run(touching.Start, touching.Count + run.Count);
        }

        if (after is { } following && following.Start == run.End)
        {
            Drop(following);
            run = run with { Count = run.Count + following.Count };
        }

        Keep(run);
    }

    /// <summary>Removes blocks that are in the set.</summary>
    public void Remove(Run run)
    {
        if (AtOrBefore(run.Start) is not { } found || found.End < run.End)
        {
            throw new InvalidOperationException($"{run} are not all there.");
        }

        Blocks -= run.Count;
        Drop(found);
        if (found.Start < run.Start)
        {
            Keep(new Run(found.Start, run.Start - found.Start));
        }

        if (found.End > run.End)
        {
            Keep(new Run(run.End, found.End - run.End));
        }
    }

    private Run? AtOrBefore(long block)
    {
        if (_byStart.Count == 0 || _byStart.Min.Start > block)
        {
            return null;
        }

        return _byStart.GetViewBetween(new Run(0, 0), new Run(block, 0)).Max;
    }

    private void Keep(Run run)
    {
        _byStart.Add(run);
        _byLength.Add(run);
    }

    private void Drop(Run run)
    {
        _byStart.Remove(run);
        _byLength.Remove(run);
    }
}
