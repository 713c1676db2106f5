namespace SharedPageCache.Reflink;

/// <summary>What tells one content of a file from another: if the stamp is the same, the content is.</summary>
/// <remarks>
/// The kernel has a change counter of each inode but shows it to nobody outside; since Linux 6.13 the change time of XFS
/// and btrfs stands in for it: a change after somebody looked always gets a time of its own.
/// </remarks>
/// <param name="Size">The length in bytes.</param>
/// <param name="ModificationTime">When the content was last changed, or what somebody set it to.</param>
/// <param name="ChangeTime">When anything was last changed; nobody can set it.</param>
/// <param name="LinkCount">How many names the file has.</param>
internal readonly record struct FileStamp(long Size, FileTime ModificationTime, FileTime ChangeTime, uint LinkCount)
{
    /// <summary>The last time at which anything happened.</summary>
    public FileTime LastTime => ModificationTime.CompareTo(ChangeTime) > 0 ? ModificationTime : ChangeTime;

    /// <summary>What of a later stamp says that the content is, or may be, another.</summary>
    /// <param name="later">A stamp of the same file, taken later.</param>
    /// <param name="check">Whether a change time that nothing explains counts.</param>
    public ReflinkChanges ChangesTo(FileStamp later, ReflinkChangeCheck check)
    {
        var changes = ReflinkChanges.None;
        changes |= Size != later.Size ? ReflinkChanges.Size : 0;
        changes |= ModificationTime != later.ModificationTime ? ReflinkChanges.ModificationTime : 0;

        // Deleting or linking a name moves the change time, and nothing else of the stamp but the count of names.
        var explained = LinkCount != later.LinkCount || check == ReflinkChangeCheck.ModificationTime;
        changes |= ChangeTime != later.ChangeTime && !explained ? ReflinkChanges.ChangeTime : 0;
        return changes;
    }

    /// <summary>Says what differs, for people.</summary>
    public string DescribeChangesTo(FileStamp later)
    {
        var parts = new List<string>(3);
        if (Size != later.Size)
        {
            parts.Add($"size {Size} -> {later.Size} bytes");
        }

        if (ModificationTime != later.ModificationTime)
        {
            parts.Add($"modification time {ModificationTime} -> {later.ModificationTime}");
        }

        if (ChangeTime != later.ChangeTime)
        {
            parts.Add($"change time {ChangeTime} -> {later.ChangeTime}");
        }

        return string.Join(", ", parts);
    }
}
