namespace SharedPageCache.TestKit.Faults;

/// <summary>What a <see cref="FaultPlan"/> throws: an error that nobody but a test makes, so that one can tell where it came up.</summary>
/// <param name="call">The call that failed.</param>
/// <param name="isNoSpace">Whether it failed for want of room.</param>
public sealed class InjectedFaultException(string call, bool isNoSpace = false)
    : IOException(isNoSpace ? $"no room: {call} fails." : $"{call} fails.", isNoSpace ? NoSpaceResult : ErrorResult)
{
    // What .NET makes of ENOSPC and EIO on Linux.
    private const int NoSpaceResult = 28;
    private const int ErrorResult = 5;

    /// <summary>The call that failed.</summary>
    public string Call { get; } = call;
}
