using System.Reflection;
using System.Xml.Linq;

namespace SharedPageCache.HouseTests.Surface;

/// <summary>
/// Every public member is documented. That a comment is there is kept by the compiler (CS1591 is an error for shipped
/// projects); that it says something, and that nobody has switched the compiler's rule off, is kept here.
/// </summary>
public sealed class DocumentationTests
{
    public static TheoryData<string> Assemblies => [.. Repository.ShippedAssemblies];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Every_comment_has_a_summary(string assembly) =>
        Rule.Holds(
            Comments(assembly).Where(member => !SaysSomething(member))
                .Select(member => member.Attribute("name")!.Value),
            "Documentation without a summary.");

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Every_public_type_is_in_the_documentation_file(string assembly)
    {
        HashSet<string> documented = [.. Comments(assembly).Select(member => member.Attribute("name")!.Value)];
        Rule.Holds(
            Assembly.Load(assembly).GetExportedTypes()
                .Select(type => type.FullName!.Replace('+', '.'))
                .Where(name => !documented.Contains("T:" + name)),
            "Public types without documentation.");
    }

    [Fact]
    public void Nobody_has_switched_the_compilers_rule_off() =>
        Rule.Holds(
            Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.*", SearchOption.AllDirectories)
                .Where(file => Path.GetExtension(file) is ".cs" or ".csproj" or ".props" or ".targets" or ".editorconfig")
                .Append(Path.Combine(Repository.Root, "Directory.Build.props"))
                .Append(Path.Combine(Repository.Root, ".editorconfig"))
                .Where(file => File.ReadAllText(file).Contains("1591", StringComparison.Ordinal))
                .Select(Repository.Relative),
            "CS1591 (missing documentation) is mentioned, so probably suppressed.");

    /// <summary>The comments of public types and of what is in them; the file holds those of internal ones too.</summary>
    private static IEnumerable<XElement> Comments(string assembly)
    {
        string[] types = [.. Assembly.Load(assembly).GetExportedTypes().Select(type => type.FullName!.Replace('+', '.'))];
        return XDocument.Load(Repository.DocumentationPath(assembly)).Descendants("member")
            .Where(member => types.Any(type => IsOrIsIn(member.Attribute("name")!.Value[2..], type)));
    }

    private static bool IsOrIsIn(string member, string type) =>
        member == type || member.StartsWith(type + ".", StringComparison.Ordinal);

    private static bool SaysSomething(XElement member) =>
        member.Element("inheritdoc") is not null
        || (member.Element("summary") is { } summary && (summary.HasElements || !string.IsNullOrWhiteSpace(summary.Value)));
}
