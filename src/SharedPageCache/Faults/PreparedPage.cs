using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// When the source of a copy was asked for. Taken before that: what changes afterwards, while the source is found or loaded,
/// makes the copy void. Taken inside the file's gate: of a change that is under way the edition is counted before the tree
/// is exchanged, and a source found in between would pass for a new one.
/// </summary>
/// <param name="Clock">The volume's clock.</param>
/// <param name="Edition">The file's count of changes.</param>
internal readonly record struct SourceMoment(long Clock, long Edition)
{
    public static SourceMoment Of(FileMapping file)
    {
        file.EnterTogether();
        var moment = new SourceMoment(file.Volume.Clock.Now, file.Edition);
        file.LeaveTogether();
        return moment;
    }
}

/// <summary>A frame with the new content of a page, and what that was made from.</summary>
/// <param name="Frame">The frame, or -1.</param>
/// <param name="Edition">The file's edition before the source was looked for.</param>
/// <param name="Clock">The volume's clock before the source was looked for; the largest number if there was none.</param>
internal readonly record struct PreparedPage(int Frame, long Edition = 0, long Clock = long.MaxValue);
