namespace SharedPageCache.Mappings;

/// <summary>Where the bytes of a page come from.</summary>
internal enum PageSourceKind
{
    /// <summary>From nowhere: the page reads zero.</summary>
    Zero,

    /// <summary>From one whole, page-aligned block: the page has an identity and is shared.</summary>
    Block,

    /// <summary>From several runs, an unaligned one, or through the file: the page has no identity and is private.</summary>
    Composite,
}

/// <summary>The answer to "where do the bytes of this page come from?".</summary>
/// <param name="Kind">What kind of answer it is.</param>
/// <param name="Block">The block number if there is one.</param>
/// <param name="Generation">The engine's generation of that block.</param>
internal readonly record struct PageSource(PageSourceKind Kind, long Block = 0, uint Generation = 0)
{
    public static PageSource Zero => new(PageSourceKind.Zero);

    public static PageSource Composite => new(PageSourceKind.Composite);
}
