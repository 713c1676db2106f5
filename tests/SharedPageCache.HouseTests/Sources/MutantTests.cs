using SharedPageCache.Mutants;

namespace SharedPageCache.HouseTests.Sources;

/// <summary>The list of the mutation check fits the sources: a mutant that is not there any more is killed by no test.</summary>
public sealed class MutantTests
{
    private static readonly string Sources = Path.Combine(Repository.Root, "src", "SharedPageCache");

    private static readonly List<Mutant> All =
        Mutant.ReadAll(Path.Combine(Repository.Root, "tests", "SharedPageCache.Mutants", "Mutants.txt"));

    [Fact]
    public void Every_mutant_still_fits() =>
        Assert.Equal([], All.Select(static mutant => mutant.FaultIn(Sources)).OfType<string>());

    [Fact]
    public void Ten_are_checked_with_every_change() => Assert.Equal(10, All.Count(static mutant => mutant.IsInCi));

    [Theory]
    [InlineData("Frames")]
    [InlineData("Physical")]
    [InlineData("Rmap")]
    [InlineData("Mappings")]
    [InlineData("Writeback")]
    [InlineData("Eviction")]
    [InlineData("Faults")]
    [InlineData("root")]
    public void Every_room_has_some(string room) => Assert.True(All.Count(mutant => mutant.Room == room) >= 3);
}
