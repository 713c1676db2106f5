using System.Buffers.Binary;

namespace SharedPageCache.TestKit.Logging;

/// <summary>
/// Makes the state again that a log describes, and writes the pages that it knows newer than the device: redo, no undo.
/// </summary>
/// <remarks>
/// The first record of a page after a checkpoint holds the whole page. So a page that was torn by the crash is never read:
/// its content is made from the log alone, and written whole. Contents belong to places in files, not to blocks: where a
/// content was to go is what the last record says. A page whose block is shown elsewhere too, or that has none, gets a block
/// that nothing shows. If this is interrupted the next one does the same again, for the log has not changed.
/// </remarks>
internal sealed class Recovery(LoggedState state, int pageSize)
{
    private readonly Dictionary<(int File, long Page), byte[]> _pages = [];

    /// <summary>Pages whose content came from the log.</summary>
    public int PagesRedone => _pages.Count;

    public void Replay(IEnumerable<LogRecord> records)
    {
        var isListed = false;
        foreach (var record in records)
        {
            isListed |= record.Kind == LogRecordKind.EndOfFiles;
            Change(record);
            state.Apply(record);
        }

        if (!isListed)
        {
            throw new InvalidDataException("The log begins without a list of files.");
        }
    }

    /// <summary>Writes every page that the log knows.</summary>
    public async Task WriteAsync(IBlockDevice device)
    {
        var free = Enumerable.Range(0, state.BlockCount).Select(static block => (long)block)
            .Where(block => state.ReferencesTo(block) == 0).GetEnumerator();

        // A clone shows the same array where neither was written since: they share a block again.
        foreach (var shared in _pages.GroupBy(static pair => pair.Value, ReferenceEqualityComparer.Instance))
        {
            var places = shared.Select(pair => (File: state.Files[pair.Key.File], pair.Key.Page)).ToList();
            var blocks = places.Select(static place => place.File.Blocks.TryGetValue(place.Page, out var block) ? block : -1).Distinct().ToList();
            if (blocks is not [>= 0 and var own] || state.ReferencesTo(own) != places.Count)
            {
                own = free.MoveNext() ? free.Current : throw new IOException("There is no room for the pages of the log.");
                places.ForEach(place => state.Bind(place.File, place.Page, own));
            }

            await WriteAheadLog.WriteAllAsync(device, own * pageSize, (byte[])shared.Key!).ConfigureAwait(false);
        }

        await device.FlushAsync(CancellationToken.None).ConfigureAwait(false);
    }

    private void Change(LogRecord record)
    {
        switch (record.Kind)
        {
            case LogRecordKind.PageImage:
                var image = new byte[pageSize];
                BinaryPrimitives.WriteUInt64LittleEndian(image, record.Lsn.Value);
                record.Rest(2).CopyTo(image.AsSpan(LoggedEngine.PageHeaderSize));
                _pages[((int)record.Number(0), record.Number(1))] = image;
                break;
            case LogRecordKind.PageChange:
                var place = ((int)record.Number(0), record.Number(1));
                var changed = _pages.TryGetValue(place, out var known)
                    ? (byte[])known.Clone()
                    : throw new InvalidDataException($"The log changes page {place} and has no image of it.");
                BinaryPrimitives.WriteUInt64LittleEndian(changed, record.Lsn.Value);
                record.Rest(3).CopyTo(changed.AsSpan(LoggedEngine.PageHeaderSize + (int)record.Number(2)));
                _pages[place] = changed;
                break;
            case LogRecordKind.Clone:
                Share((int)record.Number(0), 0, (int)record.Number(1), 0, long.MaxValue);
                break;
            case LogRecordKind.CloneRange:
                Share((int)record.Number(0), record.Number(1), (int)record.Number(2), record.Number(3), record.Number(4));
                break;
            case LogRecordKind.SetPages:
                Forget((int)record.Number(0), record.Number(1), long.MaxValue);
                break;
            case LogRecordKind.Punch:
                Forget((int)record.Number(0), record.Number(1), record.Number(2));
                break;
            case LogRecordKind.Delete:
                Forget((int)record.Number(0), 0, long.MaxValue);
                break;
        }
    }

    private void Share(int source, long sourcePage, int file, long page, long count)
    {
        var taken = In(source, sourcePage, count).ToList();
        Forget(file, page, count);
        foreach (var ((_, at), content) in taken)
        {
            _pages[(file, at - sourcePage + page)] = content;
        }
    }

    private void Forget(int file, long first, long count)
    {
        foreach (var (place, _) in In(file, first, count).ToList())
        {
            _pages.Remove(place);
        }
    }

    private IEnumerable<KeyValuePair<(int File, long Page), byte[]>> In(int file, long first, long count) =>
        _pages.Where(pair => pair.Key.File == file && pair.Key.Page >= first && pair.Key.Page - first < count);
}
