using SharedPageCache.HouseTests.Built;
using SharedPageCache.HouseTests.Sources;

namespace SharedPageCache.HouseTests;

/// <summary>
/// Unsafe code has one room: Memory in the core, Native in every other package. Kept twice: in the sources, and in the
/// built assemblies, where a pointer shows even when inference hides its name.
/// </summary>
public sealed class UnsafeRoomTests
{
    private static readonly HashSet<string> UnsafeTypes =
    [
        "System.Runtime.CompilerServices.Unsafe",
        "System.Runtime.CompilerServices.UnsafeAccessorAttribute",
        "System.Runtime.InteropServices.CollectionsMarshal",
        "System.Runtime.InteropServices.ImmutableCollectionsMarshal",
        "System.Runtime.InteropServices.Marshal",
        "System.Runtime.InteropServices.MemoryMarshal",
        "System.Runtime.InteropServices.NativeLibrary",
        "System.Runtime.InteropServices.NativeMemory",
    ];

    public static TheoryData<string> Assemblies => [.. Repository.ShippedAssemblies];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Sources_are_unsafe_in_one_room_only(string assembly)
    {
        string room = $"src/{assembly}/{UnsafeRoom(assembly)}/";
        Rule.Holds(
            Repository.SourceFiles($"src/{assembly}")
                .Where(file => !Repository.Relative(file).StartsWith(room, StringComparison.Ordinal))
                .SelectMany(file => SourceFile.Read(file).UnsafeCode()),
            $"Unsafe code outside {room}");
    }

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Built_code_is_unsafe_in_one_room_only(string assembly)
    {
        BuiltAssembly built = BuiltAssembly.Named(assembly);
        HashSet<string> ours = [.. built.Types.Where(type => !type.IsGenerated).Select(type => type.Outermost)];
        string room = RoomNamespace(assembly);
        IEnumerable<string> marks = built.Marks
            .Where(mark => mark.Mark is Mark.Pointer or Mark.NativeImport)
            .Where(mark => ours.Contains(mark.From) && !IsIn(room, mark.From))
            .Select(mark => $"{mark.Site}: {mark.Mark}");
        IEnumerable<string> uses = built.Uses
            .Where(use => UnsafeTypes.Contains(use.Target.FullName))
            .Where(use => ours.Contains(use.From) && !IsIn(room, use.From))
            .Select(use => $"{use.Site}: {use.Target.FullName}.{use.Member}");
        Rule.Holds(marks.Concat(uses), $"Unsafe code outside the namespace {room}");
    }

    [Fact]
    public void The_scan_of_built_code_sees_the_unsafe_room()
    {
        BuiltAssembly core = BuiltAssembly.Named(Repository.Core);
        Assert.Contains(core.Marks, mark => mark.Mark == Mark.Pointer && IsIn(RoomNamespace(Repository.Core), mark.From));
    }

    private static string UnsafeRoom(string assembly) => assembly == Repository.Core ? "Memory" : "Native";

    private static string RoomNamespace(string assembly) => $"{Repository.RootNamespace(assembly)}.{UnsafeRoom(assembly)}";

    private static bool IsIn(string space, string type) => type.StartsWith(space + ".", StringComparison.Ordinal);
}
