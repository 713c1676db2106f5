namespace SharedPageCache.Cow.Tests.Crashes;

/// <summary>Something that changes a volume, one numbered operation after the other, and knows what its files hold.</summary>
internal interface ICrashWorkload : IAsyncDisposable
{
    /// <summary>How many operations there are.</summary>
    int Operations { get; }

    /// <summary>The named files and their content, a copy.</summary>
    SortedDictionary<string, byte[]> State { get; }

    /// <summary>Does one; nothing of it is durable yet.</summary>
    Task DoAsync(int operation);

    /// <summary>Makes everything durable.</summary>
    Task CommitAsync();
}
