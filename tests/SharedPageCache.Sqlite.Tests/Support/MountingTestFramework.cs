using Xunit.Abstractions;
using Xunit.Sdk;

[assembly: TestFramework("SharedPageCache.Sqlite.Tests.Support.MountingTestFramework", "SharedPageCache.Sqlite.Tests")]

namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>Takes away the file systems that tests have made, when the last test is over: the process itself is not given time for it.</summary>
public sealed class MountingTestFramework : XunitTestFramework
{
    public MountingTestFramework(IMessageSink messageSink)
        : base(messageSink) => DisposalTracker.Add(new Unmounting());

    private sealed class Unmounting : IDisposable
    {
        public void Dispose() => Mounts.DisposeAll();
    }
}
