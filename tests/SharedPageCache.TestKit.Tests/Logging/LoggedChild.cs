namespace SharedPageCache.TestKit.Tests.Logging;

/// <summary>What the process does that is killed; see <c>LoggedKillTests</c>.</summary>
internal static class LoggedChild
{
    public static Task RunAsync(string data, string log, ulong seed) => throw new NotSupportedException($"{data} {log} {seed}");
}
