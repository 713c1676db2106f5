using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>A branch is a database of its own that begins as the last committed state of another one.</summary>
public sealed class BranchTests
{
    [Theory]
    [InFile("DELETE", "WAL")]
    [OnXfs("DELETE", "WAL")]
    [OnBtrfs("DELETE", "WAL")]
    public void A_branch_shows_what_was_committed_and_what_is_written_to_one_is_not_seen_in_another(HomeKind home, string mode)
    {
        using var store = new TestStore(home);
        using var main = store.Store.Connect("main");
        main.Run($"PRAGMA journal_mode={mode}; CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT)");
        main.Run("INSERT INTO t(x) VALUES ('one'), ('two')");
        store.Store.Branch("main", "branch");
        main.Run("INSERT INTO t(x) VALUES ('main')");
        using (var branch = store.Store.Connect("branch"))
        {
            Assert.Equal("one\ntwo", branch.Rows("SELECT x FROM t"));
            branch.Run("INSERT INTO t(x) VALUES ('branch')");
            Assert.Equal("one\ntwo\nbranch", branch.Rows("SELECT x FROM t"));
            branch.CheckIntegrity();
            store.Store.Branch("branch", "branch of a branch");
        }

        Assert.Equal("one\ntwo\nmain", main.Rows("SELECT x FROM t"));
        main.CheckIntegrity();
        main.Dispose();
        store.Reopen();
        foreach (var (name, last) in new[] { ("main", "main"), ("branch", "branch"), ("branch of a branch", "branch") })
        {
            using var again = store.Store.Connect(name);
            Assert.Equal("one\ntwo\n" + last, again.Rows("SELECT x FROM t"));
            again.CheckIntegrity();
        }
    }
}
