using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// How far a read of a range has come. The blocking and the awaiting reader drive the same steps: copy what is resident,
/// fault the next page, copy it from its hold.
/// </summary>
internal struct ReadCursor
{
    private readonly Rooms _rooms;
    private readonly FileMapping _file;
    private readonly PageTree _tree;
    private readonly long _offset;
    private readonly int _count;
    private readonly LoadManner _manner;

    /// <summary>The page behind the last one that this read's own loads, and that anybody's loads, brought it.</summary>
    private long _ownEnd;
    private long _loadedEnd;

    public ReadCursor(Rooms rooms, FileMapping file, PageTree tree, long offset, int length, LoadManner manner)
    {
        _rooms = rooms;
        _file = file;
        _tree = tree;
        _offset = offset;
        _manner = manner;
        _count = (int)Math.Max(0, Math.Min(length, tree.Length - offset));
    }

    /// <summary>Bytes copied so far.</summary>
    public int Done { get; private set; }

    /// <summary>The page that is missing next.</summary>
    public readonly long Page => _offset + Done >> _rooms.PageShift;

    /// <summary>Begins: copies resident pages as far as they go.</summary>
    /// <returns>Whether the read is complete.</returns>
    public bool CopyResident(Span<byte> destination)
    {
        Done += _rooms.Reader.CopyResident(_file, _tree, _offset + Done, destination[Done.._count]);
        return Done == _count;
    }

    /// <summary>Begins as the caller has said that it reads.</summary>
    /// <returns>Whether the read is complete.</returns>
    public bool CopyHinted(Span<byte> destination)
    {
        if ((_manner & LoadManner.Cold) == 0)
        {
            return CopyResident(destination);
        }

        // The pages are hits, and no use that the policy should know of.
        Done += _rooms.Reader.CopyLoaded(_file, _file.Tree, _offset + Done, destination[Done.._count], isOwnLoad: true, out var pages);
        _rooms.Hits.Add(pages);
        return Done == _count;
    }

    /// <summary>
    /// Goes on behind a faulted page: copies what its load has brought too, which is no hit, and then what is resident.
    /// </summary>
    /// <returns>Whether the read is complete.</returns>
    public bool CopyFollowing(Span<byte> destination) =>
        CopyLoaded(destination, _ownEnd, isOwnLoad: true)
        && CopyLoaded(destination, _loadedEnd, isOwnLoad: false)
        && CopyRest(destination);

    public readonly PageFaults.Request Request(bool blocking)
    {
        var last = _offset + _count - 1 >> _rooms.PageShift;
        return new PageFaults.Request(_file, Page, (int)(last - Page + 1), blocking, Manner: _manner);
    }

    /// <summary>Copies the faulted page.</summary>
    public void CopyHeld(PageHold hold, Span<byte> destination)
    {
        var inPage = (int)(_offset + Done) & (_rooms.PageSize - 1);
        var chunk = destination.Slice(Done, Math.Min(_rooms.PageSize - inPage, _count - Done));
        if (hold.Kind == PageHoldKind.Zero)
        {
            chunk.Clear();
        }
        else
        {
            _rooms.Arena.Span(hold.Frame).Slice(inPage, chunk.Length).CopyTo(chunk);
        }

        NoteUse(hold);
        Done += chunk.Length;
    }

    private void NoteUse(PageHold hold)
    {
        _loadedEnd = Math.Max(_loadedEnd, Page + hold.Loaded);
        if (hold.IsOwnLoad)
        {
            _ownEnd = Math.Max(_ownEnd, Page + hold.Loaded);
        }

        // The load that brought a page is not a use of it; one that this read had started before may be waited for here.
        if (hold.Kind == PageHoldKind.Pinned && Page >= _ownEnd && (_manner & LoadManner.Cold) == 0)
        {
            _rooms.Reader.MarkUse(hold.Frame);
        }
    }

    /// <summary>Copies pages that a load has brought, up to the end of it.</summary>
    /// <returns>Whether none of them was missing again.</returns>
    private bool CopyLoaded(Span<byte> destination, long end, bool isOwnLoad)
    {
        if (Done == _count || Page >= end)
        {
            return true;
        }

        // The current version: an engine may have invalidated the one that the read began with.
        var most = (int)Math.Min(_count, (end << _rooms.PageShift) - _offset);
        Done += _rooms.Reader.CopyLoaded(
            _file, _file.Tree, _offset + Done, destination[Done..most], isOwnLoad || (_manner & LoadManner.Cold) != 0, out var pages);
        _rooms.Counters.Misses.Add(pages);
        return Done == most;
    }

    private bool CopyRest(Span<byte> destination)
    {
        if ((_manner & LoadManner.Cold) != 0)
        {
            return CopyHinted(destination);
        }

        Done += _rooms.Reader.CopyResident(_file, _file.Tree, _offset + Done, destination[Done.._count]);
        return Done == _count;
    }
}
