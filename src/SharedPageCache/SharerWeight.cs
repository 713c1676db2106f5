namespace SharedPageCache;

/// <summary>How the number of files that use a page weighs when pages are given up.</summary>
public enum SharerWeight
{
    /// <summary>Not by itself: a page that many files use is used more often, and the policy sees that.</summary>
    None,

    /// <summary>
    /// A page that the policy would give up, and that n open files have used, is spared once for each doubling of n, at most seven times, before it
    /// goes: twice for 4 files, seven times for 128 and more. A use begins the count anew. Costs a byte a page, and a look at who uses it
    /// for each page that is given up.
    /// </summary>
    Doublings,
}
