namespace SharedPageCache.Stress.WriteStorms;

/// <summary>
/// What one stripe of a page may hold, exactly: an operation that has begun, unless one that began after its end has ended
/// too. Operations may overlap; the cell does not say in which order they take effect.
/// </summary>
internal sealed class Cell
{
    private readonly List<Change> _live;
    private readonly Change?[] _recent = new Change?[64];
    private long _begun;

    public Cell(ulong value) => _live = [new Change(value, []) { IsDone = true }];

    /// <summary>What a reader may see who begins now; what comes later by <see cref="Accepts"/>.</summary>
    public Look Now()
    {
        lock (this)
        {
            return new Look([.. _live], _begun);
        }
    }

    /// <summary>A write of a value begins.</summary>
    public Change Begin(ulong value)
    {
        lock (this)
        {
            return Begin(new Change(value, Done()));
        }
    }

    /// <summary>A copy of another cell begins, which takes what that holds at some moment from a look on.</summary>
    public Change Begin(Cell source, Look look)
    {
        lock (this)
        {
            return Begin(new Change(source, look, Done()));
        }
    }

    public void End(Change change)
    {
        // What the source may hold from here on was not copied.
        change.Settle();
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

    /// <summary>An operation that has begun did nothing, and will not.</summary>
    public void Cancel(Change change)
    {
        change.Settle();
        lock (this)
        {
            _live.Remove(change);
        }
    }

    /// <summary>Whether a reader who began at a look may have seen a value by now.</summary>
    public bool Accepts(Look look, ulong value) => Possible(look) is not { } changes || changes.Exists(change => change.Accepts(value));

    /// <summary>The operations of which a reader who began at a look may have seen one; null if there were too many since.</summary>
    private List<Change>? Possible(Look look)
    {
        lock (this)
        {
            if (_begun - look.Begun >= _recent.Length)
            {
                return null;
            }

            var changes = new List<Change>(look.Live);
            for (var i = look.Begun; i < _begun; i++)
            {
                changes.Add(_recent[i % _recent.Length]!);
            }

            return changes;
        }
    }

    private Change[] Done() => [.. _live.Where(static live => live.IsDone)];

    private Change Begin(Change change)
    {
        _live.Add(change);
        _recent[_begun++ % _recent.Length] = change;
        return change;
    }

    /// <summary>What a cell may hold from a moment on.</summary>
    public readonly record struct Look(Change[] Live, long Begun);

    /// <summary>One operation: the value that it writes, or the values of which it has copied one.</summary>
    internal sealed class Change
    {
        /// <summary>More values than a reader could tell apart: then the cell says nothing.</summary>
        private const int MostValues = 256;

        /// <summary>Copies of copies that are all under way.</summary>
        private const int Deepest = 4;

        private readonly Cell? _source;
        private readonly Look _look;
        private volatile HashSet<ulong>? _values;
        private volatile bool _isAnything;

        public Change(ulong value, Change[] replaces)
        {
            _values = [value];
            Replaces = replaces;
        }

        public Change(Cell source, Look look, Change[] replaces)
        {
            (_source, _look) = (source, look);
            Replaces = replaces;
        }

        public Change[] Replaces { get; set; }

        public bool IsDone { get; set; }

        public bool Accepts(ulong value) => _isAnything || (_values ?? Collect(Deepest))?.Contains(value) != false;

        /// <summary>The operation is over: the values that it may have copied are those that the source may have held by now.</summary>
        public void Settle()
        {
            if (_values is null && !_isAnything)
            {
                _values = Collect(Deepest);
                _isAnything = _values is null;
            }
        }

        public override string ToString() => _isAnything ? "anything"
            : _values is { } values ? string.Join(" or ", values.Select(static value => $"{value:x}")) : "what is being copied";

        /// <returns>The values; null if they are too many to be told.</returns>
        private HashSet<ulong>? Collect(int depth)
        {
            if (_isAnything || _values is not null)
            {
                return _values;
            }

            if (depth == 0 || _source!.Possible(_look) is not { } changes)
            {
                return null;
            }

            var values = new HashSet<ulong>();
            foreach (var change in changes)
            {
                if (change == this)
                {
                    continue;
                }

                if (change.Collect(depth - 1) is not { } more)
                {
                    return null;
                }

                values.UnionWith(more);
            }

            return values.Count <= MostValues ? values : null;
        }
    }
}
