namespace SharedPageCache.Reflink;

/// <content>What becomes of a table when the file is written: each change makes a new table.</content>
internal sealed partial class ExtentTable
{
    /// <summary>
    /// From here on addresses are no place of the file system but names that the cache was given for what it writes: the
    /// file system tells the place only afterwards. None is given twice with the same generation.
    /// </summary>
    public const long FirstStaged = 1L << 55;

    /// <summary>How many such addresses there are: more than can be written and not settled.</summary>
    public const long StagedBytes = 1L << 34;

    /// <summary>The names of ranges that are shared with other files and not yet so on the disk: behind all others.</summary>
    public const long FirstLent = FirstStaged + StagedBytes;

    /// <summary>How many such addresses there are: more than files can owe.</summary>
    public const long LentBytes = 1L << 44;

    /// <summary>Whether an extent has a name and no place yet.</summary>
    public static bool IsStaged(Extent extent) => !extent.ReadsZero && !extent.IsOpaque && extent.PhysicalOffset >= FirstStaged;

    /// <summary>Whether any run has a name and no place yet.</summary>
    public bool HasStaged => Array.Exists(_extents, IsStaged);

    /// <summary>Whether an extent is another file's, and the file does not have it yet.</summary>
    public static bool IsLent(Extent extent) => !extent.ReadsZero && !extent.IsOpaque && extent.PhysicalOffset >= FirstLent;

    /// <summary>The runs that have a name and no place yet, in file order.</summary>
    public List<Extent> Staged() => [.. _extents.Where(IsStaged)];

    /// <summary>The same table with other ranges, and for another length.</summary>
    /// <param name="changes">What takes the place of what was there, ascending, disjoint, in whole blocks; holes take it away.</param>
    /// <param name="length">The length of the file in bytes; what lies behind it is left out.</param>
    /// <param name="blockSize">The file system's block size.</param>
    public ExtentTable Replace(IReadOnlyList<Extent> changes, long length, int blockSize)
    {
        if (changes.Count == 0 && IsOnlyLonger(length, blockSize))
        {
            return new ExtentTable(_extents, length);
        }

        var end = (length + blockSize - 1) & -blockSize;
        var fresh = new List<Extent>(_extents.Length + (2 * changes.Count));
        var next = 0;
        foreach (var extent in _extents)
        {
            var rest = IsStaged(extent) ? extent : extent with { Generation = 0 };
            while (true)
            {
                while (next < changes.Count && changes[next].FileEnd <= rest.FileOffset)
                {
                    Put(fresh, changes[next++], end);
                }

                if (next == changes.Count || changes[next].FileOffset >= rest.FileEnd)
                {
                    Put(fresh, rest, end);
                    break;
                }

                Put(fresh, Clip(rest, rest.FileOffset, changes[next].FileOffset), end);
                if (changes[next].FileEnd >= rest.FileEnd)
                {
                    break;
                }

                rest = Clip(rest, changes[next].FileEnd, rest.FileEnd);
            }
        }

        for (; next < changes.Count; next++)
        {
            Put(fresh, changes[next], end);
        }

        return Finish(fresh, length, blockSize);
    }

    /// <summary>
    /// What a file shows whose extents were asked for again: the answer, as long as this table, without what this table
    /// knows to be cut off or punched. The file system may not have been told of that yet.
    /// </summary>
    /// <param name="answer">What the file system says.</param>
    /// <param name="keeps">Which runs that are staged here stay so.</param>
    /// <param name="blockSize">The file system's block size.</param>
    public ExtentTable Renewed(ExtentTable answer, Predicate<Extent> keeps, int blockSize)
    {
        var changes = new List<Extent>();
        long covered = 0;
        foreach (var extent in _extents)
        {
            if (covered < extent.FileOffset)
            {
                changes.Add(Extent.Hole(covered, extent.FileOffset - covered));
            }

            if (IsStaged(extent) && keeps(extent))
            {
                changes.Add(extent);
            }

            covered = extent.FileEnd;
        }

        if (answer._extents is [.., var last] && last.FileEnd > covered)
        {
            changes.Add(Extent.Hole(covered, last.FileEnd - covered));
        }

        return answer.Replace(changes, Length, blockSize);
    }

    /// <summary>The extents of a range, clipped to it.</summary>
    public List<Extent> Within(long start, long end)
    {
        var found = new List<Extent>();
        for (var i = IndexAtOrAfter(start); i < _extents.Length && _extents[i].FileOffset < end; i++)
        {
            found.Add(Clip(_extents[i], Math.Max(start, _extents[i].FileOffset), Math.Min(end, _extents[i].FileEnd)));
        }

        return found;
    }

    /// <summary>
    /// The part of a run that the file can show: a page of several blocks has a name as a whole, and the file may end before it does.
    /// Only the name of a page: what lies behind the end in a place is no part of the file.
    /// </summary>
    /// <param name="offset">Where in the file the run is looked for.</param>
    /// <param name="run">The run.</param>
    /// <param name="blockSize">The file system's block size.</param>
    public BlockRun UpToEnd(long offset, BlockRun run, int blockSize)
    {
        var end = (Length + blockSize - 1) & -blockSize;
        return run.Offset < FirstStaged || end <= offset ? run : new BlockRun(run.Offset, Math.Min(run.Length, end - offset));
    }

    private static ExtentTable Finish(List<Extent> extents, long length, int blockSize)
    {
        var end = (length + blockSize - 1) & -blockSize;
        var tail = (uint)(length & (blockSize - 1));
        if (tail != 0 && extents is [.., var last] && last.FileEnd == end && !last.ReadsZero && !last.IsOpaque && !IsStaged(last))
        {
            extents.RemoveAt(extents.Count - 1);
            Append(extents, Clip(last, last.FileOffset, end - blockSize));
            extents.Add(Clip(last, end - blockSize, end) with { Generation = tail });
        }

        return new ExtentTable([.. extents], length);
    }

    /// <summary>Whether nothing but the length changes: no block becomes the last one or ceases to be it.</summary>
    private bool IsOnlyLonger(long length, int blockSize) =>
        length >= Length
        && (_extents is not [.., var last]
            || ((last.Generation == 0 || IsStaged(last)) && (last.FileEnd < ((length + blockSize - 1) & -blockSize) || (length & (blockSize - 1)) == 0)));

    private static void Put(List<Extent> extents, Extent extent, long end)
    {
        if (extent.FileOffset < end && (extent.Flags & ExtentFlags.Hole) == 0)
        {
            Append(extents, Clip(extent, extent.FileOffset, Math.Min(end, extent.FileEnd)));
        }
    }

    private static Extent Clip(Extent extent, long start, long end) => extent with
    {
        FileOffset = start,
        Length = Math.Max(0, end - start),
        PhysicalOffset = extent.ReadsZero || extent.IsOpaque ? 0 : extent.PhysicalOffset + (start - extent.FileOffset),
    };
}
