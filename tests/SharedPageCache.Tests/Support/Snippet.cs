namespace SharedPageCache.Tests.Support;

/// <summary>Code of the documentation, as a test compiles it and as a page shows it.</summary>
public static class Snippet
{
    /// <summary>The lines of a source file between <c>// &lt;name&gt;</c> and <c>// &lt;/name&gt;</c>.</summary>
    public static string[] OfSource(string path, string name) =>
        Between(Repository.Read(path).Split('\n'), $"// <{name}>", $"// </{name}>");

    /// <summary>The first C# block below a heading of a page.</summary>
    public static string[] OfPage(string path, string heading)
    {
        var lines = Repository.Read(path).Split('\n');
        var at = Array.FindIndex(lines, line => line.TrimEnd() == heading);
        Assert.True(at >= 0, $"{path} has no heading '{heading}'");
        return Between(lines[at..], "```csharp", "```");
    }

    /// <summary>The lines between two markers, without the indentation of the first.</summary>
    private static string[] Between(string[] lines, string from, string to)
    {
        var first = Array.FindIndex(lines, line => line.Trim() == from);
        Assert.True(first >= 0, $"there is no '{from}'");
        var last = Array.FindIndex(lines, first + 1, line => line.Trim() == to);
        Assert.True(last > first, $"there is no '{to}' after '{from}'");
        var indentation = lines[first].Length - lines[first].TrimStart().Length;
        return [.. lines[(first + 1)..last].Select(line => line.Length > indentation ? line[indentation..].TrimEnd() : "")];
    }
}
