namespace SharedPageCache.Stress.WriteStorms;

/// <summary>
/// What one stripe of a page may hold, exactly: an operation that has begun, unless one that began after its end has ended
/// too. Operations may overlap; the cell does not say in which order they take effect.
/// </summary>
internal sealed class Cell
{
    private readonly List<Change> _live;
    private readonly ulong[] _recent = new ulong[64];
    private long _begun;

    public Cell(ulong value) => _live = [new Change(value, []) { IsDone = true }];

    /// <summary>The values that a reader may see who begins now; later ones by <see cref="Accepts"/>.</summary>
    public (ulong[] Values, long Begun) Look()
    {
        lock (this)
        {
            return ([.. _live.Select(static change => change.Value)], _begun);
        }
    }

    public Change Begin(ulong value)
    {
        lock (this)
        {
            var change = new Change(value, [.. _live.Where(static live => live.IsDone)]);
            _live.Add(change);
            _recent[_begun++ % _recent.Length] = value;
            return change;
        }
    }

    public void End(Change change)
    {
        lock (this)
        {
            change.IsDone = true;
            foreach (var past in change.Replaces)
            {
                _live.Remove(past);
            }

            change.Replaces = [];
        }
    }

    /// <summary>Whether a reader who began at a look may have seen a value by now.</summary>
    public bool Accepts((ulong[] Values, long Begun) look, ulong value)
    {
        if (look.Values.Contains(value))
        {
            return true;
        }

        lock (this)
        {
            if (_begun - look.Begun >= _recent.Length)
            {
                return true;
            }

            for (var i = look.Begun; i < _begun; i++)
            {
                if (_recent[i % _recent.Length] == value)
                {
                    return true;
                }
            }

            return false;
        }
    }

    internal sealed class Change(ulong value, Change[] replaces)
    {
        public ulong Value => value;

        public Change[] Replaces { get; set; } = replaces;

        public bool IsDone { get; set; }
    }
}
