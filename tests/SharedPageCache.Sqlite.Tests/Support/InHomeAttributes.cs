using System.Reflection;
using SharedPageCache.Reflink.Tests.Mounts;
using Xunit.Sdk;

namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>
/// Runs a theory in a store of one kind, once for each value; skipped, with the reason, where the kind cannot be made. The first argument of
/// the test is the kind, the second one the value, if there are any.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public abstract class InHomeAttribute : DataAttribute
{
    private readonly HomeKind _kind;
    private readonly object[] _values;

    protected InHomeAttribute(HomeKind kind, object[] values)
    {
        _kind = kind;
        _values = values;
        Skip = kind == HomeKind.File ? null : LoopMount.WhyNot(kind == HomeKind.Xfs ? FileSystemKind.Xfs : FileSystemKind.Btrfs);
    }

    /// <summary>A static property of the test's class that has the values, if they are rows of several.</summary>
    public string? Rows { get; set; }

    public override IEnumerable<object[]> GetData(MethodInfo testMethod)
    {
        if (Rows is not null)
        {
            var rows = (IEnumerable<object[]>)testMethod.DeclaringType!.GetProperty(Rows, BindingFlags.Static | BindingFlags.Public)!.GetValue(null)!;
            return rows.Select(row => (object[])[_kind, .. row]);
        }

        return _values.Length == 0 ? [[_kind]] : _values.Select(value => (object[])[_kind, value]);
    }
}

/// <summary>In one file.</summary>
public sealed class InFileAttribute(params object[] values) : InHomeAttribute(HomeKind.File, values);

/// <summary>In a directory on XFS.</summary>
public sealed class OnXfsAttribute(params object[] values) : InHomeAttribute(HomeKind.Xfs, values);

/// <summary>In a directory on btrfs.</summary>
public sealed class OnBtrfsAttribute(params object[] values) : InHomeAttribute(HomeKind.Btrfs, values);
