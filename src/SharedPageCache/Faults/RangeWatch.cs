using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// Reads pages of two files, and knows later, inside both gates, whether they still hold what was read.
/// </summary>
/// <remarks>
/// <para>
/// <b>Marks</b> of all pages that are read are held from before the first look to the end, in one order over both files: no
/// write changes these pages. So they are as they were unless the truth of a file changes in another way, which counts its
/// <see cref="FileMapping.Edition"/>, or the block that a page was read from is discarded, which the volume's clock tells.
/// Both are taken before the first look (inside the gates, see <see cref="SourceMoment"/>) and compared inside the gates, in
/// which neither can move on.
/// </para>
/// <para>
/// Who waits for a mark may hold others, of an earlier page in the order. Writers hold marks of one file, in ascending order
/// of pages, and wait for nothing that a holder of marks waits for; so nobody waits in a circle.
/// </para>
/// </remarks>
internal sealed class RangeWatch(Rooms rooms, PageFaults faults, FileMapping source, FileMapping file) : IDisposable
{
    private readonly List<(FileMapping File, long Page)> _marked = [];
    private readonly List<(FileMapping File, long Page)> _read = [];
    private SourceMoment _sourceMoment;
    private SourceMoment _fileMoment;

    /// <summary>Keeps writers from pages of both files, and takes the moment from which on they must not change otherwise.</summary>
    public async ValueTask BeginAsync(IEnumerable<long> sourcePages, IEnumerable<long> pages, CancellationToken cancellationToken)
    {
        var all = sourcePages.Select(page => (File: source, Page: page)).Concat(pages.Select(page => (File: file, Page: page)));
        foreach (var (owner, page) in all.Distinct().OrderBy(static place => place.File.Writing.Order).ThenBy(static place => place.Page))
        {
            while (!owner.Writing.Marks.TryMark(page))
            {
                cancellationToken.ThrowIfCancellationRequested();
                source.ThrowIfClosed();
                file.ThrowIfUnwritable();
                PageWrites.ThrowIfWaitsForItself(owner, page);
                await owner.Writing.Marks.WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            _marked.Add((owner, page));
        }

        _sourceMoment = SourceMoment.Of(source);
        _fileMoment = SourceMoment.Of(file);
    }

    /// <summary>Reads a page. What lies behind the file's end is not cleared.</summary>
    public async ValueTask ReadAsync(
        FileMapping from, long page, Memory<byte> destination, bool blocking, CancellationToken cancellationToken)
    {
        var hold = await faults.FaultAsync(new PageFaults.Request(from, page, 1, blocking), cancellationToken).ConfigureAwait(false);
        if (hold.Kind == PageHoldKind.Zero)
        {
            destination.Span.Clear();
        }
        else
        {
            CheckSource(hold);
            rooms.Arena.Span(hold.Frame).CopyTo(destination.Span);
        }

        faults.Release(hold);
        _read.Add((from, page));
    }

    /// <exception cref="CacheCorruptionException">Checked mode finds that the page is not what it was.</exception>
    private void CheckSource(PageHold hold)
    {
        try
        {
            if (hold.Kind == PageHoldKind.Pinned)
            {
                rooms.Guard?.ThrowIfChanged(hold.Frame, "when it was copied into another file");
            }
        }
        catch (CacheCorruptionException)
        {
            faults.Release(hold);
            throw;
        }
    }

    /// <summary>Whether all that was read is still so. Inside both gates, alone.</summary>
    public bool IsStillTrue()
    {
        if (source.Edition != _sourceMoment.Edition || file.Edition != _fileMoment.Edition)
        {
            return false;
        }

        foreach (var (from, page) in _read)
        {
            var clock = from == source ? _sourceMoment.Clock : _fileMoment.Clock;
            if (from.Tree.FindLeaf(Window.Of(page)) is not { } leaf || !LeafFinder.IsUnchangedSince(from.Volume, leaf, Window.SlotOf(page), clock))
            {
                return false;
            }
        }

        return true;
    }

    public void Dispose()
    {
        foreach (var (owner, page) in _marked)
        {
            owner.Writing.Marks.Unmark(page);
        }

        _marked.Clear();
    }
}
