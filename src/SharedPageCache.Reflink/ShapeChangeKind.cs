namespace SharedPageCache.Reflink;

/// <summary>How the shape of a file changes.</summary>
internal enum ShapeChangeKind
{
    /// <summary>It becomes longer.</summary>
    Grow,

    /// <summary>It becomes shorter.</summary>
    Cut,

    /// <summary>A range becomes a hole.</summary>
    Punch,

    /// <summary>A range becomes what a range of another file is.</summary>
    Share,

    /// <summary>It loses its name.</summary>
    Delete,
}
