namespace SharedPageCache.HitRate;

/// <summary>How measurements are printed.</summary>
internal enum OutputFormat
{
    /// <summary>A line for each as it comes, and a summary.</summary>
    Lines,

    /// <summary>Tables for a page of documentation.</summary>
    Markdown,

    /// <summary>One object.</summary>
    Json,
}
