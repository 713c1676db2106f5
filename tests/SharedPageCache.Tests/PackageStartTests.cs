using SharedPageCache.Tests.PackageStarts;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests;

/// <summary>The code in the packages' own README.md files compiles, does what its comments say, and is what they show.</summary>
public class PackageStartTests
{
    private const int Length = 1 << 20;

    [Theory]
    [InlineData("core-start", "src/SharedPageCache/README.md")]
    [InlineData("abstractions-start", "src/SharedPageCache.Abstractions/README.md")]
    public void Readme_shows_it_word_for_word(string name, string page) =>
        Assert.Equal(Snippet.OfSource("tests/SharedPageCache.Tests/PackageStarts.cs", name), Snippet.OfPage(page, "## Use"));

    [Fact]
    public async Task Three_files_show_a_page_that_was_read_once()
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await File.WriteAllBytesAsync(path, new MemoryDevice(Length).Stamp().Copy(0, Length));
        try
        {
            var figures = CoreStart.Run(path);
            Assert.Equal((1, 4096, 8192), (figures.DeviceReads, figures.ResidentBytes, figures.SavedBytes));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_file_in_one_piece_shows_the_blocks_from_its_first_byte_on()
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 1 << 20, HugePages = false });
        var device = new MemoryDevice(Length).Stamp();
        using var volume = cache.AttachVolume(device);
        using var file = volume.OpenFile(new ContiguousFile(8192, 16384), 16384);
        var bytes = new byte[16384];
        Assert.Equal(bytes.Length, file.Read(0, bytes));
        Assert.Equal(device.Copy(8192, bytes.Length), bytes);
        cache.Verify();
    }
}
