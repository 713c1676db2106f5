namespace SharedPageCache.HouseTests.Floors;

/// <summary>A room and the floor that it is on.</summary>
internal sealed record Room(string Name, int Floor)
{
    /// <summary>A room may look at itself and at lower floors; not upwards, not at its neighbours.</summary>
    public bool MayLookAt(Room other) => this == other || other.Floor < Floor;

    public override string ToString() => $"{Name} (floor {Floor})";
}
