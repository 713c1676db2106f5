using System.Text.RegularExpressions;

namespace SharedPageCache.HouseTests.Pages;

/// <summary>The documentation hangs together: links lead somewhere, and every decision can be found.</summary>
public sealed partial class PageTests
{
    [Fact]
    public void Every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading() =>
        Rule.Holds(
            Repository.MarkdownFiles().SelectMany(file => BrokenLinks(MarkdownPage.Read(file))),
            "Links of the documentation that lead nowhere.");

    /// <summary>A package shows its page outside of the repository.</summary>
    [Fact]
    public void Every_package_has_a_readme_of_its_own_without_relative_links()
    {
        MarkdownPage[] pages = [.. Repository.ShippedAssemblies.Select(name => MarkdownPage.Read(Path.Combine(Repository.Root, "src", name, "README.md")))];
        Rule.Holds(RelativeLinks(pages), "Links of package pages that lead nowhere outside of the repository.");
    }

    [Fact]
    public void Every_decision_is_in_the_index()
    {
        string folder = Path.Combine(Repository.Root, "docs", "decisions");
        string index = Path.Combine(folder, "README.md");
        Rule.Holds(
            Directory.EnumerateFiles(folder, "*.md").Select(file => Path.GetFileName(file)!)
                .Where(name => name != "README.md")
                .Except(MarkdownPage.Read(index).Links.Select(link => link.Target)),
            "Decisions that docs/decisions/README.md does not list.");
    }

    [Fact]
    public void A_decision_has_a_number_of_its_own_a_name_and_the_number_in_its_title()
    {
        string folder = Path.Combine(Repository.Root, "docs", "decisions");
        string[] pages = [.. Directory.EnumerateFiles(folder, "*.md").Where(file => Path.GetFileName(file) != "README.md")];
        Rule.Holds(
            pages.Where(file => !DecisionName().IsMatch(Path.GetFileName(file))
                || !File.ReadLines(file).First().StartsWith($"# {int.Parse(Path.GetFileName(file)[..4])}. ", StringComparison.Ordinal))
                .Concat(pages.GroupBy(file => Path.GetFileName(file)[..4]).Where(group => group.Count() > 1).SelectMany(group => group))
                .Select(Repository.Relative),
            "A decision is called NNNN-what-was-decided.md, and its first line is '# N. What was decided'.");
    }

    [Fact]
    public void Broken_links_are_found()
    {
        MarkdownPage page = MarkdownPage.Parse(
            Path.Combine(Repository.Root, "docs", "architecture.md"),
            [
                "# One `code` heading, with signs", "## Twice", "## Twice", "[up](../README.md)", "[self](#one-code-heading-with-signs)",
                "[second](#twice-1)", "`[code](nowhere.md)`", "```", "[fence](nowhere.md)", "```", "[web](https://example.org/x)",
                "[gone](gone.md) and [third](#twice-2)", "[heading](options.md#there-is-no-such-heading)", "[out](../../elsewhere.md)",
            ]);
        Assert.Equal(
            ["docs/architecture.md:12: gone.md", "docs/architecture.md:12: #twice-2",
                "docs/architecture.md:13: options.md#there-is-no-such-heading", "docs/architecture.md:14: ../../elsewhere.md"],
            BrokenLinks(page));
    }

    [Fact]
    public void Relative_links_are_found()
    {
        MarkdownPage page = MarkdownPage.Parse(
            Path.Combine(Repository.Root, "src", "README.md"),
            ["# Use", "[here](#use) and [web](https://example.org/x)", "[near](../docs/options.md)", "[root](/docs)"]);
        Assert.Equal(["src/README.md:3: ../docs/options.md", "src/README.md:4: /docs"], RelativeLinks([page]));
    }

    private static IEnumerable<string> RelativeLinks(IEnumerable<MarkdownPage> pages) =>
        pages.SelectMany(page => page.Links.Where(link => !IsElsewhere(link.Target) && link.Target[0] != '#')
            .Select(link => $"{Repository.Relative(page.File)}:{link.Line}: {link.Target}"));

    private static IEnumerable<string> BrokenLinks(MarkdownPage page) =>
        page.Links.Where(link => !IsElsewhere(link.Target) && !Resolves(page, link.Target))
            .Select(link => $"{Repository.Relative(page.File)}:{link.Line}: {link.Target}");

    private static bool IsElsewhere(string target) => Uri.TryCreate(target, UriKind.Absolute, out var uri) && !uri.IsFile;

    private static bool Resolves(MarkdownPage page, string target)
    {
        string[] parts = target.Split('#', 2);
        string file = parts[0].Length == 0 ? page.File : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page.File)!, parts[0]));
        bool isInside = file.StartsWith(Repository.Root, StringComparison.Ordinal);
        if (!isInside || parts.Length == 1)
        {
            return isInside && Path.Exists(file);
        }

        return file == page.File
            ? page.Anchors.Contains(parts[1])
            : File.Exists(file) && MarkdownPage.Read(file).Anchors.Contains(parts[1]);
    }

    [GeneratedRegex("^[0-9]{4}-[a-z0-9-]+[.]md$")]
    private static partial Regex DecisionName();
}
