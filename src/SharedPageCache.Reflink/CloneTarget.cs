namespace SharedPageCache.Reflink;

/// <summary>The file that a clone is made in.</summary>
/// <param name="origin">The file, empty. Its path is the name that it is meant for.</param>
/// <param name="passingName">The name under which it is made durable before it gets its own; null if it gets its own at once.</param>
internal sealed class CloneTarget(OriginFile origin, string? passingName)
{
    public OriginFile Origin { get; } = origin;

    public string? PassingName { get; } = passingName;

    /// <summary>The clone, once it is one of the volume's files.</summary>
    public WritableReflinkFile? Clone { get; set; }

    /// <summary>There will be no handle on the clone.</summary>
    public void GiveUp()
    {
        if (Clone is { } clone)
        {
            clone.Volume.Release(clone, handle: null);
        }
        else
        {
            Origin.Handle.Dispose();
        }
    }
}
