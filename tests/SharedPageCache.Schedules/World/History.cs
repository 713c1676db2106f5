namespace SharedPageCache.Schedules.World;

/// <summary>
/// What was written to one half of a page of a file, and when. A read must show a write that had begun when it ended, and that was not
/// surely followed by another before it began (a regular register).
/// </summary>
internal sealed class History
{
    private readonly List<Entry> _entries = [];
    private Sector? _inherited;

    /// <summary>One write.</summary>
    /// <param name="held">What it wrote.</param>
    /// <param name="begun">When its call began.</param>
    /// <param name="ended">When its call had returned.</param>
    /// <param name="isInherited">Whether it was a write to the file that this one is a clone of.</param>
    /// <param name="source">The half of a page that a range clone took its content from, at a moment between begin and end; null for a write.</param>
    public sealed class Entry(Sector held, long begun, long ended = long.MaxValue, bool isInherited = false, Taken? source = null)
    {
        public Sector Held { get; } = held;

        public Taken? Source { get; } = source;

        /// <summary>Whether this is what a read would show, as far as is known.</summary>
        public bool MayHold(Sector shown, int depth = MostClones) =>
            Source is null ? Held == shown : depth > 0 && Source.MayBe(shown, depth);

        public long Begun { get; } = begun;

        public long Ended { get; set; } = ended;

        public bool IsInherited { get; } = isInherited;

        public override string ToString() => Describe(MostClones);

        public string Describe(int depth) =>
            $"{(Source is null ? Held.ToString() : $"what a range clone took ({Source.Describe(depth)})")} [{Begun}, {(Ended == long.MaxValue ? "" : Ended)}]{(IsInherited ? " inherited" : "")}";
    }

    /// <summary>What a range clone took from a half of a page: one content, which that half had at a moment of the clone.</summary>
    public sealed class Taken(History from, long begun)
    {
        private Sector? _shown;

        public long Ended { get; set; } = long.MaxValue;

        public bool MayBe(Sector shown, int depth) =>
            _shown is { } known ? known == shown
            : from._entries.Exists(entry => entry.Begun <= Ended && entry.MayHold(shown, depth - 1) && !from.IsOver(entry, begun));

        /// <summary>It was seen: it never is anything else from now on.</summary>
        public void Is(Sector shown) => _shown ??= shown;

        public string Describe(int depth) => _shown is { } known ? known.ToString()
            : depth == 0 ? "..." : string.Join(", ", from._entries.Select(entry => entry.Describe(depth - 1)));
    }

    /// <summary>A content may have come by so many range clones, one of the other.</summary>
    private const int MostClones = 4;

    public History(Sector original)
    {
        _entries.Add(new Entry(original, 0, 0));
    }

    private History(IEnumerable<Entry> entries)
    {
        _entries.AddRange(entries);
    }

    public Entry Begin(Sector held, long now)
    {
        var entry = new Entry(held, now);
        _entries.Add(entry);
        return entry;
    }

    /// <summary>A range clone begins, which takes the content of another half.</summary>
    public Entry BeginFrom(History source, long now)
    {
        var entry = new Entry(default, now, source: new Taken(source, now));
        _entries.Add(entry);
        return entry;
    }

    /// <summary>The write or the range clone did not come to this half: nobody may ever see it.</summary>
    public void Revoke(Entry entry) => _entries.Remove(entry);

    /// <summary>The history of a clone that was made between two moments: what was not over before may be in it or not.</summary>
    public History CloneAt(long begun) => new(_entries.Select(
        entry => new Entry(entry.Held, entry.Begun, entry.Ended < begun ? entry.Ended : long.MaxValue, isInherited: true, entry.Source)));

    /// <summary>Why a read could not show this, or null.</summary>
    public string? FaultOf(Sector shown, long begun, long ended)
    {
        var may = _entries.FindAll(entry => entry.Begun <= ended && entry.MayHold(shown) && !IsOver(entry, begun));
        if (may.Count == 0)
        {
            return $"{shown} in a read from {begun} to {ended}, but was written: {string.Join(", ", _entries)}";
        }

        if (may is [var only])
        {
            // Where something else explains it too, nothing is learnt of what a range clone took.
            only.Source?.Is(shown);
        }

        if (may.TrueForAll(static entry => entry.IsInherited) && shown != (_inherited ??= shown))
        {
            return $"{shown}, but before {_inherited}: a clone shows its origin at one moment";
        }

        return null;
    }

    /// <summary>Why this could not be there after a crash, or null: nothing but what was written, at whatever time.</summary>
    public string? FaultAfterCrash(Sector shown) =>
        _entries.Exists(entry => entry.MayHold(shown)) ? null : $"{shown} after a crash, but was written: {string.Join(", ", _entries)}";

    private bool IsOver(Entry entry, long begun) => _entries.Exists(later => later.Begun > entry.Ended && later.Ended < begun);
}
