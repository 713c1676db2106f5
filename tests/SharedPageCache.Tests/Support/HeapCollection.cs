namespace SharedPageCache.Tests.Support;

/// <summary>Tests that measure the managed heap run while no other test does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class HeapCollection
{
    public const string Name = "Heap";
}
