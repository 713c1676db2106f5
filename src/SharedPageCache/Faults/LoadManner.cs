namespace SharedPageCache.Faults;

/// <summary>What a caller has said about a read, as far as faults and the policy are concerned.</summary>
[Flags]
internal enum LoadManner
{
    /// <summary>Nothing.</summary>
    Plain = 0,

    /// <summary>The caller goes on behind what it wants: read ahead as far as may be, from the first fault on.</summary>
    Onwards = 1,

    /// <summary>What is loaded goes before all else, and what is read is no use of it.</summary>
    Cold = 2,

    /// <summary>What is loaded will be used again: it enters as a page that was used.</summary>
    Kept = 4,
}
