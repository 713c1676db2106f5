using SharedPageCache.Sqlite.Tests.Support;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>The start of docs/sqlite.md compiles, does what its comments say, and is what the page shows.</summary>
public sealed class SqliteStartTests
{
    [Fact]
    public async Task Main_keeps_its_note_and_the_branch_is_gone()
    {
        using var folder = new TemporaryFolder();
        await SqliteStart.RunAsync(folder.PathOf("start.store"));
        using var store = SqliteBranchStore.Open(folder.PathOf("start.store"));
        Assert.Equal("main", Assert.Single(store.Databases).Name);
        using var connection = store.Connect("main");
        Assert.Equal("first", connection.Rows("SELECT * FROM notes"));
    }

    [Fact]
    public void The_page_shows_it_word_for_word() => Assert.Equal(
        Snippet.OfSource("tests/SharedPageCache.Sqlite.Tests/SqliteStart.cs", "sqlite"),
        Snippet.OfPage("docs/sqlite.md", "## In five minutes"));
}
