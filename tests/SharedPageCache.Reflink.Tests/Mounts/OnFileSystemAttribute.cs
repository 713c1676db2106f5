using System.Reflection;
using Xunit.Sdk;

namespace SharedPageCache.Reflink.Tests.Mounts;

/// <summary>Runs a theory on one kind of file system; skipped, with the reason, where it cannot be made.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class OnFileSystemAttribute : DataAttribute
{
    private readonly object[] _more;

    /// <param name="kind">The kind, the first argument of the test.</param>
    /// <param name="more">The other arguments.</param>
    public OnFileSystemAttribute(FileSystemKind kind, params object[] more)
    {
        Kind = kind;
        _more = more;
        Skip = LoopMount.WhyNot(kind);
    }

    public FileSystemKind Kind { get; }

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [[Kind, .. _more]];
}
