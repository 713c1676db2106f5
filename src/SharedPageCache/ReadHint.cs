namespace SharedPageCache;

/// <summary>
/// What a caller knows about a read that the cache cannot know yet. A hint changes what is read ahead and what goes first, never what is
/// read; it is for this call only.
/// </summary>
public enum ReadHint
{
    /// <summary>Nothing is known: read-ahead begins when faults follow each other, and the policy decides what stays.</summary>
    Normal,

    /// <summary>The caller goes on reading behind this range: the first fault reads ahead by <see cref="PageCacheOptions.MaxReadAheadPages"/> already.</summary>
    Sequential,

    /// <summary>
    /// The bytes are not needed again soon, as in a scan or a backup: pages that are loaded for the call go before all others, and pages
    /// that are in memory are not kept longer for having been read. What is used by somebody else meanwhile becomes a page like others.
    /// </summary>
    Once,

    /// <summary>The bytes will be needed again soon: pages that are loaded for the call stand as used ones, not as newcomers on probation.</summary>
    WillNeed,

    /// <summary>
    /// This was the last use: as <see cref="Once"/>, and afterwards the pages that the call has read to their end are demoted
    /// (<see cref="MappedFile.Demote"/>).
    /// </summary>
    DontNeed,
}
