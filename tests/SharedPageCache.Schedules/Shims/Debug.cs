using System.Diagnostics;

namespace SharedPageCache.Schedules.Shims;

/// <summary>An assertion of the core that fails is a finding of the explorer, in every configuration.</summary>
internal static class Debug
{
    public static void Assert(bool condition, string message)
    {
        if (!condition)
        {
            throw new AssertionFailedException($"assertion of the core failed: {message}");
        }
    }

    public static void Assert(bool condition)
    {
        if (!condition)
        {
            throw new AssertionFailedException("assertion of the core failed");
        }
    }
}

/// <summary>An assertion failed.</summary>
internal sealed class AssertionFailedException(string message) : Exception(message);
