namespace SharedPageCache.Reflink;

/// <summary>
/// Files that show the same blocks because they were cloned from each other and not changed since: the ledger counts them once for all of them, so that one more costs nothing,
/// however many extents there are. Who begins to change leaves, and is counted for itself. Guarded by the volume's lock.
/// </summary>
internal sealed class Twins
{
    private readonly HashSet<ReflinkFile> _files = new(ReferenceEqualityComparer.Instance);

    /// <summary>One more file shows the blocks.</summary>
    public void Join(ReflinkFile file)
    {
        _files.Add(file);
        file.Twins = this;
    }

    /// <summary>A file is going to show others.</summary>
    /// <returns>One that is left; null if there is none, and what was counted for all is the file's own.</returns>
    public ReflinkFile? Leave(ReflinkFile file)
    {
        _files.Remove(file);
        file.Twins = null;
        foreach (var other in _files)
        {
            return other;
        }

        return null;
    }
}
