using System.Text;
using SharedPageCache.Cow.Tests.Support;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>The start with writing compiles, does what its comments say, is short, and is what README.md shows.</summary>
public class WritingStartTests
{
    private const int MostLines = 15;

    private static string[] Lines { get; } =
        Snippet.OfSource("tests/SharedPageCache.CowVolume.Tests/WritingStart.cs", "writing");

    [Fact]
    public async Task Both_files_are_durable_and_each_page_was_written_once()
    {
        using var path = new TemporaryFile();
        using (var cache = new PageCache(new PageCacheOptions { CapacityBytes = 1 << 20 }))
        {
            var figures = await WritingStart.RunAsync(cache, path.Path);
            Assert.Equal((2, 0), (figures.PagesWritten, figures.DirtyBytes));
        }

        using var again = CowVolume.Open(path.Path);
        Assert.Equal("a megabyte or two", Encoding.UTF8.GetString(again.ReadAll(again.OpenFile("golden"))));
        Assert.Equal("a terabyte or two", Encoding.UTF8.GetString(again.ReadAll(again.OpenFile("clone"))));
    }

    [Fact]
    public void It_has_at_most_15_lines() => Assert.InRange(Lines.Length, 1, MostLines);

    [Fact]
    public void Readme_shows_it_word_for_word() => Assert.Equal(Lines, Snippet.OfPage("README.md", "## Writing"));
}
