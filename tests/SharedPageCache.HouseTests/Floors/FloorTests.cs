using SharedPageCache.HouseTests.Built;

namespace SharedPageCache.HouseTests.Floors;

/// <summary>Each room of the core uses lower floors only (docs/architecture.md), read from the built assembly.</summary>
public sealed class FloorTests
{
    [Fact]
    public void No_room_looks_upwards_or_sideways() =>
        Rule.Holds(FloorPlan.Breaches(BuiltAssembly.Named(Repository.Core).Uses),
            "Rooms look where they must not. Move the type down, or turn the call into a port that the lower room owns.");

    [Fact]
    public void Every_type_of_the_core_lives_in_a_room_of_the_house() =>
        Rule.Holds(
            BuiltAssembly.Named(Repository.Core).Types
                .Where(type => !type.IsGenerated && House.RoomOf(type.Outermost) is null)
                .Select(type => type.FullName),
            $"Types outside the rooms ({string.Join(", ", House.Rooms)}, or the root for the public face).");

    [Fact]
    public void Abstractions_depend_on_the_runtime_only() =>
        Rule.Holds(
            BuiltAssembly.Named(Repository.Abstractions).References
                .Where(name => !name.StartsWith("System.", StringComparison.Ordinal) && name != "System"),
            "SharedPageCache.Abstractions has no dependency at all.");

    [Fact]
    public void Reading_the_core_finds_what_is_there()
    {
        BuiltAssembly core = BuiltAssembly.Named(Repository.Core);
        Assert.True(core.Uses.Any(use => use.Target.Assembly is null && use.From != use.Target.Outermost), "its own types");
        Assert.True(core.Uses.Any(use => use.Target.Assembly == Repository.Abstractions), "the engine's side");
        Assert.True(core.Uses.Any(use => use.Target.Assembly is null && use.Member is not null), "calls in bodies");
    }

    [Theory]
    [InlineData("Frames.FrameTable", "Mappings.Leaf", "upwards")]
    [InlineData("Memory.Arena", "Concurrency.Gate", "sideways on floor 1")]
    [InlineData("Physical.PhysicalPageTable", "Rmap.ReverseMap", "sideways on floor 3")]
    [InlineData("Eviction.Reclaimer", "Diagnostics.Census", "sideways on floor 6")]
    [InlineData("Faults.ReadFault", "MappedFile", "a room at the public face")]
    [InlineData("Diagnostics.Dump", "PageCache", "a room at the roof")]
    [InlineData("MappedFile", "PageCache", "the face at the roof")]
    public void A_wrong_look_is_found(string from, string to, string why)
    {
        string breach = Assert.Single(FloorPlan.Breaches([Look(from, to)]));
        Assert.True(breach.Contains(from, StringComparison.Ordinal) && breach.Contains(to, StringComparison.Ordinal), why);
    }

    [Theory]
    [InlineData("Mappings.Leaf", "Frames.FrameTable")]
    [InlineData("Mappings.Leaf", "Mappings.PageTree")]
    [InlineData("Mappings.Inner.Leaf", "Mappings.PageTree")]
    [InlineData("Faults.ReadFault", "Memory.Arena")]
    [InlineData("MappedFile", "CachedVolume")]
    [InlineData("MappedFile", "Faults.ReadFault")]
    [InlineData("PageCache", "MappedFile")]
    public void A_right_look_is_left_alone(string from, string to) => Assert.Empty(FloorPlan.Breaches([Look(from, to)]));

    [Fact]
    public void A_circle_between_rooms_is_found_at_its_upward_side()
    {
        IReadOnlyList<string> breaches = FloorPlan.Breaches(
            [Look("Writeback.Writer", "Mappings.Leaf"), Look("Mappings.Leaf", "Writeback.Writer")]);
        Assert.StartsWith("Mappings", Assert.Single(breaches), StringComparison.Ordinal);
    }

    [Fact]
    public void Types_of_other_assemblies_are_everybodys()
    {
        Use use = Look("Memory.Arena", "PageIndex");
        Assert.Empty(FloorPlan.Breaches([use with { Target = use.Target with { Assembly = Repository.Abstractions } }]));
    }

    [Theory]
    [InlineData("SharedPageCache.Cellar.Barrel")]
    [InlineData("Elsewhere.Type")]
    [InlineData("Loose")]
    public void A_type_without_a_room_has_none(string type) => Assert.Null(House.RoomOf(type));

    private static Use Look(string from, string to)
    {
        string source = $"{Repository.Core}.{from}";
        string target = $"{Repository.Core}.{to}";
        return new Use(source, source + ".Method", new TypeTarget(null, target, target), "Member", IsEventAccessor: false);
    }
}
