using System.Diagnostics;
using System.Reflection;

namespace SharedPageCache.HouseTests.Surface;

/// <summary>A public class with state says in the debugger what it is.</summary>
public sealed class DebuggerDisplayTests
{
    /// <summary>Classes that need none, each with its reason. Exceptions, delegates, records and attributes are exempt anyway.</summary>
    private static readonly Dictionary<string, string> Exempt = [];

    public static TheoryData<string> Assemblies => [.. Repository.ShippedAssemblies];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Every_public_class_with_state_shows_it(string assembly) =>
        Rule.Holds(
            Assembly.Load(assembly).GetExportedTypes()
                .Where(type => NeedsDisplay(type) && !Exempt.ContainsKey(type.FullName!) && !HasDisplay(type))
                .Select(type => type.FullName!),
            "Public classes with state and without [DebuggerDisplay].");

    [Fact]
    public void A_class_without_display_is_found()
    {
        Assert.True(NeedsDisplay(typeof(Silent)) && !HasDisplay(typeof(Silent)));
        Assert.True(HasDisplay(typeof(Telling)));
        Assert.True(HasDisplay(typeof(ToldByItsBase)));
    }

    [Fact]
    public void What_has_no_state_or_says_it_already_needs_none() =>
        Assert.DoesNotContain(
            new[] { typeof(Rule), typeof(Built.Use), typeof(FormatException), typeof(Action), typeof(IDisposable) },
            NeedsDisplay);

    private static bool NeedsDisplay(Type type) =>
        type.IsClass
        && !typeof(Exception).IsAssignableFrom(type)
        && !typeof(Delegate).IsAssignableFrom(type)
        && !typeof(Attribute).IsAssignableFrom(type)
        && type.GetMethod("<Clone>$") is null
        && HasState(type);

    private static bool HasState(Type type)
    {
        for (Type? at = type; at is not null && at.Assembly == type.Assembly; at = at.BaseType)
        {
            if (at.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                .Length > 0)
            {
                return true;
            }
        }

        return false;
    }

    private static bool HasDisplay(Type type) => type.IsDefined(typeof(DebuggerDisplayAttribute), inherit: true);

    private sealed class Silent
    {
        public int Count { get; set; }
    }

    [DebuggerDisplay("{Count}")]
    private class Telling
    {
        public int Count { get; set; }
    }

    private sealed class ToldByItsBase : Telling;
}
