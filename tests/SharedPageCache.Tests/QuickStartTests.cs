using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests;

/// <summary>The quick start compiles, runs, is short, and is what README.md shows.</summary>
public class QuickStartTests
{
    private const int MostLines = 15;

    private static string[] Lines { get; } = Snippet.OfSource("tests/SharedPageCache.Tests/QuickStart.cs", "quick-start");

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
    public void It_has_at_most_15_lines() => Assert.InRange(Lines.Length, 1, MostLines);

    [Fact]
    [Trait("Row", "J1")]
    public void Readme_shows_it_word_for_word() => Assert.Equal(Lines, Snippet.OfPage("README.md", "## Quick start"));
}
