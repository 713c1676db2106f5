namespace SharedPageCache.Tests.Support;

/// <summary>Waits that end a test instead of hanging it. Nothing is measured by them.</summary>
public static class Bounded
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static Task Within(this Task task) => task.WaitAsync(Patience);

    public static Task<T> Within<T>(this Task<T> task) => task.WaitAsync(Patience);

    public static Task<T> Within<T>(this ValueTask<T> task) => task.AsTask().WaitAsync(Patience);

    public static Task Within(this ValueTask task) => task.AsTask().WaitAsync(Patience);

    /// <summary>Waits for something that another thread is about to do.</summary>
    public static void Until(Func<bool> condition, string what) =>
        Assert.True(SpinWait.SpinUntil(condition, Patience), $"it never came true that {what}");
}
