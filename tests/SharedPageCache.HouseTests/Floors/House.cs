namespace SharedPageCache.HouseTests.Floors;

/// <summary>The rooms of the core and their floors, as docs/architecture.md draws them.</summary>
internal static class House
{
    private const int FaceFloor = 8;
    private const int TopFloor = 9;

    private static readonly Dictionary<string, int> FloorOfRoom = new()
    {
        ["Memory"] = 1,
        ["Concurrency"] = 1,
        ["Frames"] = 2,
        ["Physical"] = 3,
        ["Rmap"] = 3,
        ["Mappings"] = 4,
        ["Writeback"] = 5,
        ["Eviction"] = 6,
        ["Diagnostics"] = 6,
        ["Faults"] = 7,
    };

    public static IReadOnlyCollection<string> Rooms => FloorOfRoom.Keys;

    /// <summary>The room in which a type of the core lives; null if the house has no such room.</summary>
    /// <param name="type">Full name of an outermost type.</param>
    public static Room? RoomOf(string type)
    {
        string[] parts = type.Split('.');
        if (parts[0] != Repository.Core || parts.Length < 2)
        {
            return null;
        }

        if (parts.Length == 2)
        {
            return parts[1] == "PageCache" ? new Room("the roof", TopFloor) : new Room("the public face", FaceFloor);
        }

        return FloorOfRoom.TryGetValue(parts[1], out int floor) ? new Room(parts[1], floor) : null;
    }
}
