using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// Takes a file's word that it does not need pages any more: those that no other open file has used go to the cold end.
/// </summary>
/// <remarks>
/// Nothing is dropped: a page that is asked for before its frame is needed is still there, and its use brings it back to the
/// policy. Dirty pages and those that leases hold stay as they are until they can go. The number of users is a moment's: a file that begins to use a
/// page meanwhile finds it at the cold end, where its use is seen.
/// </remarks>
internal sealed class PageDemotion(Rooms rooms)
{
    /// <summary>Demotes what is in memory of a range of pages.</summary>
    /// <returns>How many pages that was.</returns>
    public long Demote(FileMapping file, long firstPage, long lastPage)
    {
        var tree = file.Tree;
        var demoted = 0L;
        for (var page = firstPage; page <= lastPage;)
        {
            var window = Window.Of(page);
            var end = Math.Min(lastPage + 1, window + 1 << Window.Shift);
            if (tree.FindLeaf(window) is { Residents: > 0 } leaf)
            {
                for (; page < end; page++)
                {
                    demoted += TryDemote(file, page, leaf[Window.SlotOf(page)]) ? 1 : 0;
                }
            }

            page = end;
        }

        return demoted;
    }

    private bool TryDemote(FileMapping file, long page, PageReference reference)
    {
        if (!reference.IsResident)
        {
            return false;
        }

        var state = rooms.Frames[reference.Frame].State.Load();
        if (!state.Admits(reference.Word))
        {
            return false;
        }

        var own = file.Touches?.IsSet(page) == true ? 1 : 0;
        return rooms.Sharers.UsersOf(reference.Frame, state.Generation) <= own && rooms.Reclaimer.TryDemote(reference.Frame, state.Generation);
    }
}
