namespace SharedPageCache;

/// <summary>What the files of one security domain have done on a volume: figures that may be shown to the tenant.</summary>
/// <remarks>
/// Nothing here depends on what other domains do or have in memory: a page that is in memory already because of another domain counts like one
/// that was read from the device.
/// </remarks>
/// <param name="OpenFiles">Files of the domain that are open.</param>
/// <param name="DirtyBytes">Bytes of pages that the domain's files have written and that are not on the device yet.</param>
/// <param name="FirstUses">Pages that files of the domain have used for the first time: a page once for each file, and again after its extents have changed.</param>
/// <param name="LoadFailures">Times that a file of the domain was told that a page cannot be read.</param>
public readonly record struct DomainReport(int OpenFiles, long DirtyBytes, long FirstUses, long LoadFailures);
