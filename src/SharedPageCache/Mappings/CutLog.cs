using System.Diagnostics;

namespace SharedPageCache.Mappings;

/// <summary>
/// The ranges of files that lost their content (truncated, punched, replaced, deleted) while a write-back was under way.
/// A page that only was overwritten since its image froze is still bound to the image; one that was cut is not.
/// Guarded by the volume's binding lock.
/// </summary>
internal sealed class CutLog
{
    private readonly List<(FileMapping File, long First, long Last)> _cuts = [];
    private bool _isOpen;

    public void Begin()
    {
        Debug.Assert(!_isOpen, "one write-back of a volume at a time");
        _isOpen = true;
    }

    public void End()
    {
        _isOpen = false;
        _cuts.Clear();
    }

    /// <summary>A range has lost its content. Whoever has leased a page of it for writing is to find out, too.</summary>
    public void Add(FileMapping file, long firstPage, long lastPage)
    {
        file.WritingIfAny?.Marks.NoteCut(firstPage, lastPage);
        if (_isOpen)
        {
            _cuts.Add((file, firstPage, lastPage));
        }
    }

    public bool Contains(FileMapping file, long page)
    {
        foreach (var cut in _cuts)
        {
            if (cut.File == file && cut.First <= page && page <= cut.Last)
            {
                return true;
            }
        }

        return false;
    }
}
