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
    public sealed class Entry(Sector held, long begun, long ended = long.MaxValue, bool isInherited = false)
    {
        public Sector Held { get; } = held;

        public long Begun { get; } = begun;

        public long Ended { get; set; } = ended;

        public bool IsInherited { get; } = isInherited;

        public override string ToString() => $"{Held} [{Begun}, {(Ended == long.MaxValue ? "" : Ended)}]{(IsInherited ? " inherited" : "")}";
    }

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

    /// <summary>What was begun has failed, and nothing of it can be seen.</summary>
    public void Withdraw(Entry entry) => _entries.Remove(entry);

    /// <summary>The history of a clone that was made between two moments: what was not over before may be in it or not.</summary>
    public History CloneAt(long begun) => new(_entries.Select(
        entry => new Entry(entry.Held, entry.Begun, entry.Ended < begun ? entry.Ended : long.MaxValue, isInherited: true)));

    /// <summary>Why a read could not show this, or null.</summary>
    public string? FaultOf(Sector shown, long begun, long ended)
    {
        var shows = _entries.FindLast(entry => entry.Held == shown && entry.Begun <= ended && !IsOver(entry, begun));
        if (shows is null)
        {
            return $"{shown} in a read from {begun} to {ended}, but was written: {string.Join(", ", _entries)}";
        }

        if (shows.IsInherited && shown != (_inherited ??= shown))
        {
            return $"{shown}, but before {_inherited}: a clone shows its origin at one moment";
        }

        return null;
    }

    /// <summary>Why this could not be there after a crash, or null: nothing but what was written, at whatever time.</summary>
    public string? FaultAfterCrash(Sector shown) =>
        _entries.Exists(entry => entry.Held == shown) ? null : $"{shown} after a crash, but was written: {string.Join(", ", _entries)}";

    private bool IsOver(Entry entry, long begun) => _entries.Exists(later => later.Begun > entry.Ended && later.Ended < begun);
}
