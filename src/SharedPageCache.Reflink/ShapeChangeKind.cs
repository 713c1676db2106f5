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

    /// <summary>It loses its name.</summary>
    Delete,
}
