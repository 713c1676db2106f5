using SharedPageCache.HouseTests.Built;
using SharedPageCache.HouseTests.Sources;

namespace SharedPageCache.HouseTests;

/// <summary>
/// All waiting, locking and atomics of the core go through the Concurrency room, so that a schedule explorer can take
/// them over. Kept twice: keywords in the sources, everything else in the built assembly.
/// </summary>
public sealed class WaitingRoomTests
{
    private const string RoomNamespace = "SharedPageCache.Concurrency.";

    /// <summary>Types that wait, lock or order memory. Named without arity.</summary>
    private static readonly HashSet<string> BannedTypes =
    [
        "System.Lazy",
        "System.Threading.AutoResetEvent",
        "System.Threading.Barrier",
        "System.Threading.CountdownEvent",
        "System.Threading.EventWaitHandle",
        "System.Threading.Interlocked",
        "System.Threading.LazyInitializer",
        "System.Threading.Lock",
        "System.Threading.ManualResetEvent",
        "System.Threading.ManualResetEventSlim",
        "System.Threading.Monitor",
        "System.Threading.Mutex",
        "System.Threading.ReaderWriterLock",
        "System.Threading.ReaderWriterLockSlim",
        "System.Threading.Semaphore",
        "System.Threading.SemaphoreSlim",
        "System.Threading.SpinLock",
        "System.Threading.SpinWait",
        "System.Threading.ThreadLocal",
        "System.Threading.Volatile",
        "System.Threading.WaitHandle",
        "System.Threading.Tasks.TaskCompletionSource",
        "System.Threading.Tasks.Sources.ManualResetValueTaskSourceCore",
        "System.ThreadStaticAttribute",
    ];

    private static readonly HashSet<string> BannedMembers =
    [
        "System.Threading.Tasks.Task.Wait",
        "System.Threading.Tasks.Task.WaitAll",
        "System.Threading.Tasks.Task.WaitAny",
        "System.Threading.Thread.Join",
        "System.Threading.Thread.MemoryBarrier",
        "System.Threading.Thread.Sleep",
        "System.Threading.Thread.SpinWait",
        "System.Threading.Thread.VolatileRead",
        "System.Threading.Thread.VolatileWrite",
        "System.Threading.Thread.Yield",
    ];

    private static readonly string[] BannedNamespaces = ["System.Collections.Concurrent.", "System.Threading.Channels."];

    [Fact]
    public void No_lock_statement_and_no_volatile_field_outside_the_room() =>
        Rule.Holds(
            Repository.SourceFiles("src/SharedPageCache")
                .Where(file => !Repository.Relative(file).StartsWith(
                    "src/SharedPageCache/Concurrency/", StringComparison.Ordinal))
                .SelectMany(file => SourceFile.Read(file).LocksAndVolatiles()),
            "lock or volatile outside src/SharedPageCache/Concurrency/");

    [Fact]
    public void Nothing_waits_or_orders_memory_outside_the_room()
    {
        BuiltAssembly core = BuiltAssembly.Named(Repository.Core);
        HashSet<string> ours = [.. core.Types.Where(type => !type.IsGenerated).Select(type => type.Outermost)];
        Rule.Holds(
            core.Uses.Where(use => ours.Contains(use.From)).Where(IsBreach).Select(Say)
                .Concat(core.Marks.Where(mark => mark.Mark == Mark.VolatileField && !IsInRoom(mark.From))
                    .Select(mark => $"{mark.Site}: volatile")),
            "Waiting, locking or atomics outside SharedPageCache.Concurrency. Use or add a type of that room.");
    }

    [Fact]
    public void The_scan_sees_the_room_itself()
    {
        BuiltAssembly core = BuiltAssembly.Named(Repository.Core);
        Assert.Contains(core.Uses, use => IsInRoom(use.From) && use.Target.FullName == "System.Threading.Interlocked");
    }

    [Theory]
    [InlineData("System.Threading.Interlocked", "Increment")]
    [InlineData("System.Threading.Lock", "EnterScope")]
    [InlineData("System.Threading.Lock/Scope", "Dispose")]
    [InlineData("System.Threading.Tasks.TaskCompletionSource`1", ".ctor")]
    [InlineData("System.Threading.Thread", "Sleep")]
    [InlineData("System.Collections.Concurrent.ConcurrentDictionary`2", "TryAdd")]
    [InlineData("System.ThreadStaticAttribute", null)]
    public void A_breach_is_found(string type, string? member)
    {
        Assert.True(IsBreach(Mention("SharedPageCache.Faults.ReadFault", type, member)));
        Assert.False(IsBreach(Mention("SharedPageCache.Concurrency.Gate", type, member)));
    }

    [Theory]
    [InlineData("System.Threading.Thread", "get_CurrentThread")]
    [InlineData("System.Threading.CancellationToken", "Register")]
    [InlineData("System.Threading.Tasks.Task", "get_IsCompleted")]
    public void What_does_not_wait_is_left_alone(string type, string member) =>
        Assert.False(IsBreach(Mention("SharedPageCache.Faults.ReadFault", type, member)));

    [Fact]
    public void The_accessors_of_a_field_like_event_are_the_compilers_business() =>
        Assert.False(IsBreach(
            Mention("SharedPageCache.PageCache", "System.Threading.Interlocked", "CompareExchange") with
            {
                IsEventAccessor = true,
            }));

    private static bool IsBreach(Use use)
    {
        string type = use.Target.Outermost.Split('`')[0];
        return !use.IsEventAccessor
            && !IsInRoom(use.From)
            && (BannedTypes.Contains(type)
                || BannedMembers.Contains($"{type}.{use.Member}")
                || BannedNamespaces.Any(space => type.StartsWith(space, StringComparison.Ordinal)));
    }

    private static bool IsInRoom(string type) => type.StartsWith(RoomNamespace, StringComparison.Ordinal);

    private static string Say(Use use) => $"{use.Site}: {use.Target.FullName}{(use.Member is null ? "" : "." + use.Member)}";

    private static Use Mention(string from, string type, string? member) =>
        new(from, from + ".Method", new TypeTarget("System.Runtime", type.Split('/')[0], type), member, IsEventAccessor: false);
}
