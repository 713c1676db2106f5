using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests;

/// <summary>The quick start compiles, runs, is short, and is what README.md shows.</summary>
public class QuickStartTests
{
    private const int MostLines = 15;

    private static string[] Snippet { get; } = Between(
        Repository.Read("tests/SharedPageCache.Tests/QuickStart.cs").Split('\n'), "// <quick-start>", "// </quick-start>");

    [Fact]
    [Trait("Row", "J1")]
    [Trait("Row", "J2")]
    public async Task It_runs_and_saves_a_page()
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await File.WriteAllBytesAsync(path, new MemoryDevice(1 << 20).Stamp().Copy(0, 1 << 20));
        try
        {
            using var device = FileBlockDevice.Open(path);
            var figures = await QuickStart.RunAsync(device, new EmptyHookExtents(1 << 20), 1 << 20);
            Assert.Equal((1, 4096, 4096), (figures.DeviceReads, figures.ResidentBytes, figures.SavedBytes));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    [Trait("Row", "J1")]
    public void It_has_at_most_15_lines() => Assert.InRange(Snippet.Length, 1, MostLines);

    [Fact]
    [Trait("Row", "J1")]
    public void Readme_shows_it_word_for_word()
    {
        var readme = Repository.Read("README.md").Split('\n');
        var heading = Array.FindIndex(readme, line => line.TrimEnd() == "## Quick start");
        Assert.True(heading >= 0, "README.md has no heading '## Quick start'");
        Assert.Equal(Snippet, Between(readme[heading..], "```csharp", "```"));
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
