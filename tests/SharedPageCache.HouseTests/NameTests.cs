using SharedPageCache.HouseTests.Built;

namespace SharedPageCache.HouseTests;

/// <summary>A type is named after what it is; the names below say only that somebody had no better word.</summary>
public sealed class NameTests
{
    private static readonly string[] EmptyWords =
        ["Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Handler", "Context", "Data", "Info"];

    public static TheoryData<string> Assemblies => [.. Repository.ShippedAssemblies];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void No_type_has_an_empty_name(string assembly) =>
        Rule.Holds(
            BuiltAssembly.Named(assembly).Types
                .Where(type => !type.IsGenerated && IsEmpty(type.Name))
                .Select(type => type.FullName),
            $"Types whose names end in {string.Join(", ", EmptyWords)}.");

    [Theory]
    [InlineData("FrameManager")]
    [InlineData("PathUtils")]
    [InlineData("LeafData")]
    [InlineData("Helper")]
    public void An_empty_name_is_found(string name) => Assert.True(IsEmpty(name));

    [Theory]
    [InlineData("FrameTable")]
    [InlineData("Metadata")]
    [InlineData("DataVolume")]
    public void A_name_that_says_something_is_left_alone(string name) => Assert.False(IsEmpty(name));

    private static bool IsEmpty(string name) =>
        EmptyWords.Any(word => name.EndsWith(word, StringComparison.Ordinal));
}
