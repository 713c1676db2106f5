using System.Reflection;
using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Tests.Native;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>
/// Every code that the VFS gives has a test that provokes it: the most by SQL, and here those that SQLite does not pass on, or asks for only if
/// it has a bug.
/// </summary>
public sealed class ErrorCodeTests
{
    private const OpenFlags Main = OpenFlags.MainDatabase | OpenFlags.ReadWrite | OpenFlags.Create;

    /// <summary>By which test each code is provoked.</summary>
    private static readonly Dictionary<string, Delegate> s_tests = new()
    {
        [nameof(ResultCode.Ok)] = (Delegate)Behind_the_end_is_a_short_read_and_zeros,
        [nameof(ResultCode.Busy)] = new LockingTests().A_reader_keeps_a_writer_from_committing_and_a_writer_another_one_from_beginning,
        [nameof(ResultCode.ReadOnly)] = (Delegate)What_was_opened_for_reading_is_not_written,
        [nameof(ResultCode.IoError)] = (Delegate)A_closed_store_answers_each_call_with_its_error,
        [nameof(ResultCode.NotFound)] = (Delegate)A_control_that_means_nothing_is_not_found,
        [nameof(ResultCode.Full)] = new FaultTests(null!).A_full_store_refuses_transactions_and_its_databases_are_intact_and_can_be_read_and_deleted,
        [nameof(ResultCode.CannotOpen)] = new HomeFaultTests(null!).Every_call_for_a_name_fails,
        [nameof(ResultCode.IoRead)] = new FaultTests(null!).Every_call_of_the_device_fails,
        [nameof(ResultCode.IoShortRead)] = (Delegate)Behind_the_end_is_a_short_read_and_zeros,
        [nameof(ResultCode.IoWrite)] = new FaultTests(null!).Every_read_of_the_device_fails_while_pages_are_changed_in_part,
        [nameof(ResultCode.IoSync)] = new FaultTests(null!).Every_call_of_the_device_fails,
        [nameof(ResultCode.IoTruncate)] = (Delegate)A_closed_store_answers_each_call_with_its_error,
        [nameof(ResultCode.IoDelete)] = new HomeFaultTests(null!).Every_call_for_a_name_fails,
        [nameof(ResultCode.IoNoMemory)] = new FaultTests(null!).Memory_that_is_not_there_is_told_as_such,
        [nameof(ResultCode.IoAccess)] = (Delegate)A_closed_store_answers_each_call_with_its_error,
        [nameof(ResultCode.IoClose)] = (Delegate)A_closed_store_answers_each_call_with_its_error,
        [nameof(ResultCode.IoSharedMemoryLock)] = (Delegate)Locks_of_a_log_that_do_not_exist_are_refused,
        [nameof(ResultCode.IoDeleteMissing)] = (Delegate)Deleting_what_is_not_there_says_so,
        [nameof(ResultCode.IoFetch)] = new FaultTests(null!).Every_read_of_the_device_fails_while_pages_are_read_in_place,
    };

    [Fact]
    public void Every_code_has_a_test_that_provokes_it()
    {
        var codes = typeof(ResultCode).GetFields(BindingFlags.Static | BindingFlags.Public).Select(static field => field.Name);
        Assert.Equal(codes.Order(StringComparer.Ordinal), s_tests.Keys.Order(StringComparer.Ordinal));
        Assert.All(s_tests.Values, static test => Assert.NotEmpty(test.Method.GetCustomAttributes<FactAttribute>()));
    }

    [Fact]
    public static void Behind_the_end_is_a_short_read_and_zeros()
    {
        using var store = new TestStore();
        Assert.Equal(ResultCode.Ok, new NativeVfs(store).Open("main", Main, out var opened));
        using var file = opened!;
        Assert.Equal(ResultCode.Ok, file.Write([1, 2, 3], 0));
        Span<byte> buffer = [9, 9, 9, 9, 9];
        Assert.Equal(ResultCode.IoShortRead, file.Read(buffer, 0));
        Assert.Equal([1, 2, 3, 0, 0], buffer.ToArray());
        Assert.Equal(ResultCode.IoShortRead, file.Read(buffer, 1 << 20));
        Assert.Equal([0, 0, 0, 0, 0], buffer.ToArray());
        Assert.Equal(ResultCode.Ok, file.Read(buffer[..3], 0));
        store.HasDamage = true;
    }

    [Fact]
    public static void What_was_opened_for_reading_is_not_written()
    {
        using var store = new TestStore();
        store.Store.Create("main");
        Assert.Equal(ResultCode.Ok, new NativeVfs(store).Open("main", OpenFlags.MainDatabase | OpenFlags.ReadOnly, out var opened));
        using var file = opened!;
        Assert.Equal(ResultCode.ReadOnly, file.Write([1], 0));
        Assert.Equal(ResultCode.ReadOnly, file.Truncate(0));
        Assert.Equal(0, store.Store.Databases[0].Length);
    }

    [Fact]
    public static void A_control_that_means_nothing_is_not_found()
    {
        using var store = new TestStore();
        new NativeVfs(store).Open("main", Main, out var opened);
        using var file = opened!;
        Assert.Equal(ResultCode.NotFound, file.Control(4711, 0));
    }

    [Fact]
    public static void Locks_of_a_log_that_do_not_exist_are_refused()
    {
        const int Lock = 2, Alone = 8;
        using var store = new TestStore();
        new NativeVfs(store).Open("main", Main, out var opened);
        using var file = opened!;
        Assert.Equal(ResultCode.IoSharedMemoryLock, file.LockShared(-1, 1, Lock | Alone));
        Assert.Equal(ResultCode.IoSharedMemoryLock, file.LockShared(0, 0, Lock | Alone));
        Assert.Equal(ResultCode.IoSharedMemoryLock, file.LockShared(7, 2, Lock | Alone));
        Assert.Equal(ResultCode.Ok, file.LockShared(7, 1, Lock | Alone));
    }

    [Fact]
    public static void An_index_of_a_log_that_does_not_fit_into_memory_is_refused()
    {
        using var store = new TestStore();
        new NativeVfs(store).Open("main", Main, out var opened);
        using var file = opened!;
        Assert.Equal(ResultCode.IoNoMemory, file.MapShared(0, -1));
        Assert.IsAssignableFrom<OutOfMemoryException>(store.Store.LastFailure);
        Assert.Equal(ResultCode.Ok, file.MapShared(0, 32768));
    }

    [Fact]
    public static void Deleting_what_is_not_there_says_so()
    {
        using var store = new TestStore();
        store.Store.Create("main");
        Assert.Equal(ResultCode.IoDeleteMissing, new NativeVfs(store).Delete("main-journal"));

        // Databases are deleted by the store, not by SQLite.
        Assert.Equal(ResultCode.IoDeleteMissing, new NativeVfs(store).Delete("main"));
        Assert.True(store.Store.Exists("main"));
    }

    [Fact]
    public static void A_name_that_is_too_long_cannot_be_opened()
    {
        using var store = new TestStore();
        Assert.Equal(ResultCode.CannotOpen, new NativeVfs(store).FullName(new string('n', 300), 300));
        Assert.Equal(ResultCode.Ok, new NativeVfs(store).FullName(new string('n', 299), 300));
        Assert.Equal(ResultCode.CannotOpen, new NativeVfs(store).Open(new string('n', 299), Main, out _));
        Assert.Equal(ResultCode.Ok, new NativeVfs(store).Access(new string('n', 5000)));
    }

    [Fact]
    public static void A_closed_store_answers_each_call_with_its_error()
    {
        using var store = new TestStore();
        var vfs = new NativeVfs(store);
        vfs.Open("main", Main, out var main);
        vfs.Open("main-journal", OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.DeleteOnClose, out var journal);
        Assert.Equal(ResultCode.Ok, main!.Write(new byte[8192], 0));
        store.Store.Dispose();
        Assert.Equal(ResultCode.IoRead, main.Read(new byte[10], 0));
        Assert.Equal(ResultCode.IoWrite, main.Write([1], 0));
        Assert.Equal(ResultCode.IoTruncate, main.Truncate(0));
        Assert.Equal(ResultCode.IoSync, main.Sync());
        Assert.Equal(ResultCode.IoFetch, main.Fetch(0, 4096, out _));
        Assert.Equal(ResultCode.IoError, main.Control(5, 1 << 20));
        Assert.Equal(ResultCode.IoClose, journal!.Close());
        Assert.Equal(ResultCode.IoDelete, vfs.Delete("main-journal"));
        Assert.Equal(ResultCode.IoAccess, vfs.Access("main-journal"));
        Assert.Equal(ResultCode.CannotOpen, vfs.Open("main", Main, out _));
        Assert.IsType<ObjectDisposedException>(store.Store.LastFailure);
        Assert.Equal(ResultCode.Ok, main.Close());
    }
}
