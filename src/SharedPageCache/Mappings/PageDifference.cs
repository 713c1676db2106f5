namespace SharedPageCache.Mappings;

/// <summary>The ranges of pages in which two files of a volume may differ: not by their bytes, but by where these are.</summary>
/// <remarks>
/// <para>
/// Windows below a shared node are skipped (<see cref="TreeDifference"/>). In the others two pages are the same if both show the
/// same dirty frame, or both are clean and lie in the same blocks of the same generation, or both read zero. What a leaf
/// cannot tell (there is none, its blocks were discarded since it was asked for, its engine is in the middle of a
/// change) the engine is asked.
/// </para>
/// <para>
/// <b>A moment.</b> The two sides of a window are looked at in one hold of the volume's binding lock: no write-back settles a page
/// between. Cookies that were taken there are compared after the engines have answered; if a file's truth has moved on,
/// the windows are looked at again. So each window's answer is of one moment of the call.
/// </para>
/// <para>
/// <b>A file in change</b> (its engine has moved the sequence and not told what changed) may have another truth than those with
/// whom it shares nodes: then none is skipped and no leaf of it is believed.
/// </para>
/// </remarks>
internal sealed class PageDifference(FileMapping left, FileMapping right)
{
    /// <summary>Windows that are asked for together.</summary>
    private const int Together = 64;

    /// <summary>How often extents may change under a question before the question fails.</summary>
    private const int MostAttempts = 64;

    private readonly VolumeMap _volume = left.Volume;
    private readonly List<FileRange> _found = [];

    /// <summary>Windows that were compared.</summary>
    public int Compared { get; private set; }

    /// <summary>Windows for which an engine was asked.</summary>
    public int Asked { get; private set; }

    /// <summary>Finds the ranges, in order, in whole pages; the last one may end with the longer file.</summary>
    /// <param name="most">How many ranges are enough.</param>
    /// <param name="blocking">Whether to block the thread for engines' answers.</param>
    /// <param name="cancellationToken">Cancels waits.</param>
    /// <exception cref="ExtentMapException">An engine failed, answered against the rules, or never stood still.</exception>
    public async ValueTask<List<FileRange>> FindAsync(int most, bool blocking, CancellationToken cancellationToken)
    {
        if (left == right)
        {
            return _found;
        }

        var (windows, pages, tail) = Begin();
        foreach (var (first, last) in windows)
        {
            for (var window = first; window <= last; window += Together)
            {
                await CompareAsync(window, Math.Min(last, window + Together - 1), pages, blocking, cancellationToken).ConfigureAwait(false);
                if (_found.Count > most)
                {
                    return _found[..most];
                }
            }
        }

        if (tail.Length > 0)
        {
            Add(tail);
        }

        return _found.Count > most ? _found[..most] : _found;
    }

    /// <summary>The windows to compare, the pages that both files have whole, and what only one of them has.</summary>
    private (List<TreeDifference.Span> Windows, long Pages, FileRange Tail) Begin()
    {
        _volume.Binding.Enter();
        try
        {
            var (one, other) = (left.Tree, right.Tree);
            var (shorter, longer) = (Math.Min(one.Length, other.Length), Math.Max(one.Length, other.Length));
            var pages = shorter == longer ? shorter + _volume.PageSize - 1 >> _volume.PageShift : shorter >> _volume.PageShift;
            var windows = pages + Window.Pages - 1 >> Window.Shift;
            var found = left.IsTold && right.IsTold ? TreeDifference.Find(one, other, windows) : TreeDifference.All(windows);
            var start = pages << _volume.PageShift;
            return (found, pages, new FileRange(start, Math.Max(0, longer - start)));
        }
        finally
        {
            _volume.Binding.Exit();
        }
    }

    private async ValueTask CompareAsync(long first, long last, long pages, bool blocking, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MostAttempts; attempt++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            left.ThrowIfClosed();
            right.ThrowIfClosed();
            var (one, other) = Look(first, last);
            await AskAsync(one, first, blocking, cancellationToken).ConfigureAwait(false);
            await AskAsync(other, first, blocking, cancellationToken).ConfigureAwait(false);
            if ((one.HasAsked && !left.Holds(one.Cookie)) || (other.HasAsked && !right.Holds(other.Cookie)))
            {
                continue;
            }

            for (var window = first; window <= last; window++)
            {
                var slots = (int)Math.Min(Window.Pages, pages - (window << Window.Shift));
                AddDifferences(window, one.Windows[(int)(window - first)], other.Windows[(int)(window - first)], slots);
            }

            Compared += (int)(last - first) + 1;
            return;
        }

        throw new ExtentMapException(
            left.Id, left.Name, first << Window.Shift + _volume.PageShift, last - first + 1 << Window.Shift + _volume.PageShift,
            $"they, or those of {right.Name ?? right.Id.ToString()}, changed {MostAttempts} times while they were asked for.");
    }

    /// <summary>Both sides of some windows at one moment.</summary>
    private (Side One, Side Other) Look(long first, long last)
    {
        _volume.Binding.Enter();
        try
        {
            return (Look(left, first, last), Look(right, first, last));
        }
        finally
        {
            _volume.Binding.Exit();
        }
    }

    private Side Look(FileMapping file, long first, long last)
    {
        var side = new Side(file, file.TakeCookie(), (int)(last - first) + 1);
        var isTold = file.IsTold;
        var tree = file.Tree;
        for (var window = first; window <= last; window++)
        {
            if (tree.FindLeaf(window) is not { } leaf)
            {
                continue;
            }

            leaf.Lock.Enter();
            var (runs, dirty, isAlive) = (leaf.Runs, DirtyOf(leaf), !leaf.IsDead);
            leaf.Lock.Exit();
            var isKnown = isTold && isAlive && leaf.Age != Leaf.Void && !_volume.Clock.HasChangedSince(leaf.Age, runs, _volume.PageShift);
            side.Windows[window - first] = new Shown(leaf, isKnown ? runs : null, dirty);
        }

        return side;
    }

    private static Dictionary<int, PageReference>? DirtyOf(Leaf leaf)
    {
        Dictionary<int, PageReference>? dirty = null;
        for (var slot = 0; slot < leaf.Slots.Length && leaf.HasProvisionals; slot++)
        {
            if (leaf.IsProvisional(slot))
            {
                (dirty ??= []).Add(slot, leaf[slot]);
            }
        }

        return dirty;
    }

    /// <summary>Asks the engine for the windows that are not known, each stretch of them at once.</summary>
    private async ValueTask AskAsync(Side side, long firstWindow, bool blocking, CancellationToken cancellationToken)
    {
        for (var i = 0; i < side.Windows.Length;)
        {
            var count = 0;
            while (i + count < side.Windows.Length && side.Windows[i + count].Runs is null)
            {
                count++;
            }

            if (count > 0)
            {
                var runs = await ExtentReader.ReadAsync(side.File, firstWindow + i, count, blocking, cancellationToken).ConfigureAwait(false);
                for (var asked = 0; asked < count; asked++)
                {
                    side.Windows[i + asked] = side.Windows[i + asked] with { Runs = runs[asked] };
                }

                side.HasAsked = true;
                Asked += count;
            }

            i += count + 1;
        }
    }

    private void AddDifferences(long window, Shown one, Shown other, int slots)
    {
        var differs = new bool[Window.Pages];
        if (one.Leaf is null || one.Leaf != other.Leaf || one.Runs != other.Runs)
        {
            MarkRuns(one.Runs!, other.Runs!, slots, differs);
        }

        foreach (var slot in (one.Dirty?.Keys ?? Enumerable.Empty<int>()).Union(other.Dirty?.Keys ?? Enumerable.Empty<int>()))
        {
            differs[slot] = Reference(one, slot) != Reference(other, slot);
        }

        var start = window << Window.Shift;
        for (var slot = 0; slot < slots; slot++)
        {
            if (differs[slot])
            {
                Add(new FileRange(start + slot << _volume.PageShift, _volume.PageSize));
            }
        }
    }

    private static PageReference Reference(Shown side, int slot) =>
        side.Dirty is { } dirty && dirty.TryGetValue(slot, out var reference) ? reference : default;

    /// <summary>Goes along both lists of runs, from one boundary to the next.</summary>
    private void MarkRuns(WindowRuns one, WindowRuns other, int slots, bool[] differs)
    {
        if (one.Equals(other) && !one.HasOpaque)
        {
            return;
        }

        var (ones, others) = (new Cursor(one), new Cursor(other));
        var end = slots << _volume.PageShift;
        for (int at = 0, next; at < end; at = next)
        {
            next = Math.Min(end, Math.Min(ones.MoveTo(at), others.MoveTo(at)));
            if (!ones.IsSameAs(others, at))
            {
                Array.Fill(differs, true, at >> _volume.PageShift, (next - 1 >> _volume.PageShift) - (at >> _volume.PageShift) + 1);
            }
        }
    }

    private void Add(FileRange range)
    {
        if (_found.Count > 0 && _found[^1].End == range.Offset)
        {
            _found[^1] = _found[^1] with { Length = _found[^1].Length + range.Length };
        }
        else
        {
            _found.Add(range);
        }
    }

    /// <summary>What a file shows in one window: its runs (null: the engine must be asked) and its dirty pages.</summary>
    private readonly record struct Shown(Leaf? Leaf, WindowRuns? Runs, Dictionary<int, PageReference>? Dirty);

    /// <summary>Some windows of one file.</summary>
    private sealed class Side(FileMapping file, FileMapping.Cookie cookie, int windows)
    {
        public FileMapping File { get; } = file;

        public FileMapping.Cookie Cookie { get; } = cookie;

        public Shown[] Windows { get; } = new Shown[windows];

        public bool HasAsked { get; set; }
    }

    /// <summary>A place in a list of runs.</summary>
    private sealed class Cursor
    {
        private readonly List<WindowRun> _runs = [];
        private int _next;
        private WindowRun? _here;

        public Cursor(WindowRuns runs)
        {
            foreach (var run in runs)
            {
                _runs.Add(run);
            }
        }

        /// <summary>Moves on to a byte.</summary>
        /// <returns>The byte at which something else begins.</returns>
        public int MoveTo(int at)
        {
            while (_next < _runs.Count && _runs[_next].End <= at)
            {
                _next++;
            }

            var run = _next < _runs.Count ? _runs[_next] : (WindowRun?)null;
            _here = run is { } known && known.Start <= at ? known : null;
            return _here?.End ?? run?.Start ?? int.MaxValue;
        }

        /// <summary>Whether a byte lies in the same place on the device, or reads zero in both files.</summary>
        public bool IsSameAs(Cursor other, int at)
        {
            if (_here is not { } mine || other._here is not { } others)
            {
                return _here is null && other._here is null;
            }

            return !mine.IsOpaque && !others.IsOpaque && mine.Generation == others.Generation
                && mine.Physical - mine.Start == others.Physical - others.Start;
        }
    }
}
