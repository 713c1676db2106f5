using System.Text;
using System.Text.RegularExpressions;

namespace SharedPageCache.HouseTests.Pages;

/// <summary>One page of the documentation: its links and the anchors of its headings. Code is neither.</summary>
internal sealed partial class MarkdownPage
{
    private MarkdownPage(string file, IReadOnlyList<(int Line, string Target)> links, IReadOnlySet<string> anchors)
    {
        File = file;
        Links = links;
        Anchors = anchors;
    }

    public string File { get; }

    /// <summary>The targets of all links and images, with their line.</summary>
    public IReadOnlyList<(int Line, string Target)> Links { get; }

    /// <summary>The names under which headings can be linked to, as GitHub makes them.</summary>
    public IReadOnlySet<string> Anchors { get; }

    public static MarkdownPage Read(string file) => Parse(file, System.IO.File.ReadLines(file));

    public static MarkdownPage Parse(string file, IEnumerable<string> lines)
    {
        List<(int, string)> links = [];
        HashSet<string> anchors = new(StringComparer.Ordinal);
        var number = 0;
        var inFence = false;
        foreach (string line in lines)
        {
            number++;
            if (line.TrimStart().StartsWith("```", StringComparison.Ordinal))
            {
                inFence = !inFence;
            }
            else if (!inFence)
            {
                if (Heading().Match(line) is { Success: true } heading)
                {
                    anchors.Add(AnchorOf(heading.Groups[1].Value, anchors));
                }

                links.AddRange(Link().Matches(InlineCode().Replace(line, "")).Select(link => (number, link.Groups[1].Value)));
            }
        }

        return new MarkdownPage(file, links, anchors);
    }

    private static string AnchorOf(string heading, HashSet<string> taken)
    {
        StringBuilder anchor = new();
        foreach (char letter in LinkText().Replace(heading, "$1").Trim().ToLowerInvariant())
        {
            if (char.IsLetterOrDigit(letter) || letter is '-' or '_')
            {
                anchor.Append(letter);
            }
            else if (letter == ' ')
            {
                anchor.Append('-');
            }
        }

        string name = anchor.ToString();
        return Enumerable.Range(0, int.MaxValue).Select(i => i == 0 ? name : $"{name}-{i}").First(each => !taken.Contains(each));
    }

    [GeneratedRegex(@"^#{1,6} +(.+)$")]
    private static partial Regex Heading();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex LinkText();

    [GeneratedRegex("`[^`]*`")]
    private static partial Regex InlineCode();
}
