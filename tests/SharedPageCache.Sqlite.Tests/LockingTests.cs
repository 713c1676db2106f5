using Microsoft.Data.Sqlite;
using SharedPageCache.Sqlite.Locking;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>Locks of databases and logs, as SQLite documents them.</summary>
public sealed class LockingTests
{
    private const int Busy = 5;

    [Fact]
    public void One_prepares_beside_readers_waits_for_them_lets_no_new_one_in_and_is_alone()
    {
        var file = default(FileLock);
        LockLevel reader = 0, writer = 0, late = 0, second = 0;
        Assert.True(file.TryRaise(ref reader, LockLevel.Shared));
        Assert.True(file.TryRaise(ref writer, LockLevel.Shared));
        Assert.True(file.TryRaise(ref second, LockLevel.Shared));
        Assert.True(file.TryRaise(ref writer, LockLevel.Reserved));
        Assert.True(file.IsReserved && file.IsBeingPrepared);
        Assert.False(file.TryRaise(ref second, LockLevel.Reserved));
        Assert.False(file.TryRaise(ref second, LockLevel.Exclusive));
        Assert.Equal(LockLevel.Shared, second);
        file.Lower(ref second, LockLevel.None);
        Assert.True(file.TryRaise(ref late, LockLevel.Shared));
        file.Lower(ref late, LockLevel.None);

        Assert.False(file.TryRaise(ref writer, LockLevel.Exclusive));
        Assert.Equal(LockLevel.Pending, writer);
        Assert.True(file.IsBeingPrepared);
        Assert.False(file.TryRaise(ref late, LockLevel.Shared));
        file.Lower(ref reader, LockLevel.None);
        Assert.True(file.TryRaise(ref writer, LockLevel.Exclusive));
        Assert.False(file.IsBeingPrepared);
        Assert.False(file.TryRaise(ref late, LockLevel.Shared));

        file.Lower(ref writer, LockLevel.Shared);
        Assert.False(file.IsReserved);
        Assert.True(file.TryRaise(ref late, LockLevel.Shared));
        file.Lower(ref late, LockLevel.None);
        file.Lower(ref writer, LockLevel.None);
        Assert.Equal("0 connections, no writer", file.ToString());
    }

    [Fact]
    public void Of_two_who_find_a_hot_journal_one_plays_it_back()
    {
        var file = default(FileLock);
        LockLevel one = 0, other = 0;
        file.TryRaise(ref one, LockLevel.Shared);
        file.TryRaise(ref other, LockLevel.Shared);
        Assert.False(file.TryRaise(ref one, LockLevel.Exclusive));
        Assert.False(file.TryRaise(ref other, LockLevel.Exclusive));
        Assert.Equal(LockLevel.Shared, other);
        file.Lower(ref other, LockLevel.None);
        Assert.True(file.TryRaise(ref one, LockLevel.Exclusive));
    }

    [Fact]
    public void Never_is_anybody_beside_one_who_is_alone_in_any_order_of_calls()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var file = default(FileLock);
        var levels = new LockLevel[4];
        for (var step = 0; step < 100_000; step++)
        {
            var who = random.Next(levels.Length);
            if (random.Next(3) == 0)
            {
                file.Lower(ref levels[who], (LockLevel)random.Next(2));
            }
            else
            {
                var wanted = levels[who] == LockLevel.None ? LockLevel.Shared : random.Next(2) == 0 ? LockLevel.Reserved : LockLevel.Exclusive;
                var got = file.TryRaise(ref levels[who], wanted);
                Assert.Equal(got, levels[who] >= wanted);
            }

            var others = levels.Count(static level => level >= LockLevel.Shared);
            Assert.True(levels.Count(static level => level >= LockLevel.Reserved) <= 1, $"seed {seed}, step {step}");
            Assert.True(!levels.Contains(LockLevel.Exclusive) || others == 1, $"seed {seed}, step {step}");
            Assert.Equal(levels.Any(static level => level >= LockLevel.Reserved), file.IsReserved);
        }
    }

    [Fact]
    public void Locks_of_a_log_are_shared_or_alone_all_or_none()
    {
        var index = new WalIndex();
        WalLocks one = default, other = default;
        Assert.True(index.TryTake(ref one, 3, 1, alone: false));
        Assert.True(index.TryTake(ref one, 3, 1, alone: false));
        Assert.True(index.TryTake(ref other, 3, 1, alone: false));
        Assert.False(index.TryTake(ref other, 1, 7, alone: true));
        Assert.True(index.TryTake(ref other, 4, 4, alone: true));
        Assert.False(index.TryTake(ref one, 5, 1, alone: false));
        index.Give(ref one, 3, 1);
        Assert.False(index.TryTake(ref one, 3, 1, alone: true));
        index.Give(ref other, 3, 1);
        Assert.True(index.TryTake(ref one, 3, 1, alone: true));
        index.Give(ref other, 4, 4);
        Assert.True(index.TryTake(ref other, 4, 4, alone: true));
        index.Give(ref one, 0, WalIndex.LockCount);
        index.Give(ref other, 0, WalIndex.LockCount);
        Assert.True(index.TryTake(ref one, 0, WalIndex.LockCount, alone: true));
    }

    [Fact]
    public void The_index_of_a_log_is_shared_zeroed_and_gone_with_its_last_user()
    {
        var index = new WalIndex();
        index.Join();
        Assert.Equal(0, index.Map(0, 32768, create: false));
        var second = index.Map(1, 32768, create: true);
        Assert.NotEqual(0, second);
        Assert.NotEqual(second, index.Map(0, 32768, create: false));
        index.Join();
        index.Leave();
        Assert.Equal(second, index.Map(1, 32768, create: false));
        index.Leave();
        Assert.Equal(0, index.Map(0, 32768, create: false));
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_reader_keeps_a_writer_from_committing_and_a_writer_another_one_from_beginning(HomeKind home)
    {
        using var store = new TestStore(home);
        using var one = store.Store.Connect("main", "Default Timeout=1");
        using var other = store.Store.Connect("main", "Default Timeout=1");
        one.Run("PRAGMA busy_timeout=0");
        other.Run("PRAGMA busy_timeout=0");
        StampedTable.Create(one);
        one.Run("BEGIN; SELECT * FROM t LIMIT 1");
        Assert.Equal(0, one.Get<int>("SELECT stamp FROM t LIMIT 1"));
        other.Run("BEGIN IMMEDIATE; UPDATE t SET stamp = 1");
        Assert.Equal(Busy, Code(() => other.Run("COMMIT")));
        Assert.Equal(0, one.Get<int>("SELECT max(stamp) FROM t"));
        Assert.Equal(Busy, Code(() => one.Run("UPDATE t SET stamp = 2")));
        one.Run("COMMIT");
        Assert.Equal(Busy, Code(() => one.Run("BEGIN IMMEDIATE")));
        other.Run("COMMIT");
        Assert.Equal(1, StampedTable.Read(one));
    }

    private static int Code(Action action)
    {
        // Microsoft.Data.Sqlite tries again for as long as the command may take: a second here, for 0 means for ever.
        var error = Assert.Throws<SqliteException>(action);
        return error.SqliteErrorCode;
    }
}
