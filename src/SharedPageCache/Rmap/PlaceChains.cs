namespace SharedPageCache.Rmap;

/// <summary>
/// Places of frames that have more than one: short chains of 16-byte links in one growing array. Guarded by its owner's
/// lock.
/// </summary>
internal sealed class PlaceChains
{
    private Link[] _links = [];
    private int _used;
    private int _free = -1;

    /// <summary>Memory of the array in bytes.</summary>
    public long Bytes => _links.Length * 16L;

    /// <summary>Puts a place in front of a chain.</summary>
    /// <param name="head">The chain's first link, or -1.</param>
    /// <param name="place">The place.</param>
    /// <returns>The new first link.</returns>
    public int Prepend(int head, long place)
    {
        var index = _free;
        if (index >= 0)
        {
            _free = _links[index].Next;
        }
        else
        {
            if (_used == _links.Length)
            {
                Array.Resize(ref _links, Math.Max(16, _links.Length * 2));
            }

            index = _used++;
        }

        _links[index] = new Link(place, head);
        return index;
    }

    /// <summary>The place of a link, and the next link or -1.</summary>
    public (long Place, int Next) this[int index] => (_links[index].Place, _links[index].Next);

    /// <summary>Takes a place out of a chain.</summary>
    /// <returns>The chain's first link now, or -1.</returns>
    public int Remove(int head, long place)
    {
        var previous = -1;
        for (var index = head; index >= 0; previous = index, index = _links[index].Next)
        {
            if (_links[index].Place != place)
            {
                continue;
            }

            var next = _links[index].Next;
            if (previous >= 0)
            {
                _links[previous].Next = next;
            }
            else
            {
                head = next;
            }

            _links[index].Next = _free;
            _free = index;
            break;
        }

        return head;
    }

    /// <summary>Gives all links of a chain back.</summary>
    public void Free(int head)
    {
        while (head >= 0)
        {
            var next = _links[head].Next;
            _links[head].Next = _free;
            _free = head;
            head = next;
        }
    }

    private record struct Link(long Place, int Next);
}
