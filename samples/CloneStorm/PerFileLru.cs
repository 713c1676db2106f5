namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// The honest baseline: a page cache as operating systems have it. A page is known by its file and its place in the
/// file, so two clones never share one; all files compete for one budget in one LRU list.
/// </summary>
/// <remarks>
/// It gets the same bytes for pages and book-keeping as the shared cache and reads the same volume, neighbouring misses
/// in one device read. For one thread at a time.
/// </remarks>
internal sealed class PerFileLru
{
    // A dictionary entry (hash, next, key, slot), its bucket, and the slot's key and two links.
    private const int BookkeepingBytesPerPage = 20 + 4 + 16;

    private readonly IBlockDevice _device;
    private readonly ImageExtents _extents;
    private readonly int _pageSize;
    private readonly PageSlots _slots;
    private readonly Link[] _links; // one for each slot, and behind them the head of the ring
    private readonly int _head;
    private readonly Dictionary<PageKey, int> _slotOfPage;
    private readonly List<Memory<byte>> _missing = [];
    private int _used;

    /// <summary>Makes an empty cache.</summary>
    /// <param name="device">The device to read from.</param>
    /// <param name="extents">The extents of every file: all are clones of one image.</param>
    /// <param name="pageSize">The page size in bytes.</param>
    /// <param name="capacityBytes">Memory for pages and book-keeping together; room for more than one read.</param>
    public PerFileLru(IBlockDevice device, ImageExtents extents, int pageSize, long capacityBytes)
    {
        _device = device;
        _extents = extents;
        _pageSize = pageSize;
        _slots = new PageSlots((int)(capacityBytes / (pageSize + BookkeepingBytesPerPage)), pageSize);
        _slotOfPage = new Dictionary<PageKey, int>(_slots.Count);
        _head = _slots.Count;
        _links = new Link[_slots.Count + 1];
        _links[_head] = new Link(default, Older: _head, Newer: _head);
    }

    /// <summary>Reads whole pages of a file.</summary>
    /// <param name="file">The number of the file.</param>
    /// <param name="offset">The first byte, a multiple of the page size.</param>
    /// <param name="destination">Receives the bytes; a multiple of the page size, within the file.</param>
    /// <exception cref="IOException">The device gave fewer bytes than asked.</exception>
    public void Read(int file, long offset, Span<byte> destination)
    {
        int first = (int)(offset / _pageSize);
        int end = first + (destination.Length / _pageSize);
        for (int page = first; page < end; page++)
        {
            if (!_slotOfPage.ContainsKey(new PageKey(file, page)))
                Load(file, page, end);
            BytesOf(new PageKey(file, page)).CopyTo(destination[((page - first) * _pageSize)..]);
        }
    }

    /// <summary>Loads the run of missing pages that starts at a page, as far as one device read can reach.</summary>
    private void Load(int file, int page, int end)
    {
        long offset = (long)page * _pageSize;
        Extent extent = _extents.RunAt(offset);
        end = (int)Math.Min(end, extent.FileEnd / _pageSize);

        _missing.Clear();
        for (; page < end && !_slotOfPage.ContainsKey(new PageKey(file, page)); page++)
            _missing.Add(_slots[SlotFor(new PageKey(file, page))]);

        var run = new BlockRun(extent.PhysicalOffset + offset - extent.FileOffset, (long)_missing.Count * _pageSize);
        int read = _device.Read(run, new BlockOrigin(_extents.File, offset), _missing);
        if (read != run.Length)
            throw new IOException($"the device gave {read} of the {run.Length} bytes at {run.Offset}");
    }

    /// <summary>The bytes of a page in the cache, which becomes the newest.</summary>
    private ReadOnlySpan<byte> BytesOf(PageKey page)
    {
        int slot = _slotOfPage[page];
        Unlink(slot);
        LinkAsNewest(slot, page);
        return _slots[slot].Span;
    }

    /// <summary>Gives a page a slot: a fresh one, or that of the page whose last use is longest ago.</summary>
    private int SlotFor(PageKey page)
    {
        int slot = _used;
        if (_used < _slots.Count)
        {
            _used++;
        }
        else
        {
            slot = _links[_head].Newer;
            _slotOfPage.Remove(_links[slot].Page);
            Unlink(slot);
        }

        _slotOfPage.Add(page, slot);
        LinkAsNewest(slot, page);
        return slot;
    }

    // The ring goes from the head to the oldest page, on to newer ones, and from the newest back to the head.
    private void LinkAsNewest(int slot, PageKey page)
    {
        int newest = _links[_head].Older;
        _links[slot] = new Link(page, Older: newest, Newer: _head);
        _links[newest] = _links[newest] with { Newer = slot };
        _links[_head] = _links[_head] with { Older = slot };
    }

    private void Unlink(int slot)
    {
        (_, int older, int newer) = _links[slot];
        _links[older] = _links[older] with { Newer = newer };
        _links[newer] = _links[newer] with { Older = older };
    }

    private readonly record struct PageKey(int File, int Page);

    private readonly record struct Link(PageKey Page, int Older, int Newer);
}
