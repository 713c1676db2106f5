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

    public ReadCursor(Rooms rooms, FileMapping file, PageTree tree, long offset, int length)
    {
        _rooms = rooms;
        _file = file;
        _tree = tree;
        _offset = offset;
        _count = (int)Math.Max(0, Math.Min(length, tree.Length - offset));
    }

    /// <summary>Bytes copied so far.</summary>
    public int Done { get; private set; }

    /// <summary>The page that is missing next.</summary>
    public readonly long Page => _offset + Done >> _rooms.PageShift;

    /// <summary>Copies resident pages as far as they go.</summary>
    /// <returns>Whether the read is complete.</returns>
    public bool CopyResident(Span<byte> destination)
    {
        // The current version: an engine may have invalidated the one that the read began with.
        var tree = Done == 0 ? _tree : _file.Tree;
        Done += _rooms.Reader.CopyResident(_file, tree, _offset + Done, destination[Done.._count]);
        return Done == _count;
    }

    public readonly PageFaults.Request Request(bool blocking)
    {
        var last = _offset + _count - 1 >> _rooms.PageShift;
        return new PageFaults.Request(_file, Page, (int)(last - Page + 1), blocking);
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

        Done += chunk.Length;
    }
}
