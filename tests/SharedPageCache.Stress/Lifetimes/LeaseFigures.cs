namespace SharedPageCache.Stress.Lifetimes;

/// <summary>What a round of leases has done.</summary>
internal sealed class LeaseFigures
{
    private long _sequences;
    private long _hops;
    private long _twice;
    private long _byTwo;
    private long _usedLate;

    /// <summary>Misuses that checked mode has told, but for second releases.</summary>
    public long Reports;

    public long Sequences => Volatile.Read(ref _sequences);

    public long CheckedSequences { get; set; }

    public long Outlived { get; set; }

    public long Leaked { get; set; }

    public long Planted { get; set; }

    public void Count() => Interlocked.Increment(ref _sequences);

    public void Hopped() => Interlocked.Increment(ref _hops);

    public void EndedTwice() => Interlocked.Increment(ref _twice);

    public void EndedByTwo() => Interlocked.Increment(ref _byTwo);

    public void UsedLate() => Interlocked.Increment(ref _usedLate);

    public void Add(LeaseFigures other)
    {
        _sequences += other._sequences;
        _hops += other._hops;
        _twice += other._twice;
        _byTwo += other._byTwo;
        _usedLate += other._usedLate;
        CheckedSequences += other.CheckedSequences;
        Outlived += other.Outlived;
        Leaked += other.Leaked;
        Planted += other.Planted;
    }

    public override string ToString() =>
        $"{_sequences} sequences ({CheckedSequences} checked), {_twice} ended twice, {_byTwo} by two threads at once, {_usedLate} used after the end, {_hops} ended on another thread, "
        + $"{Leaked} leaked, {Outlived} outlived their cache, {Planted} released by a copy and refused";
}
