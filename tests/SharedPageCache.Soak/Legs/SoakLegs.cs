namespace SharedPageCache.Soak.Legs;

/// <summary>All legs by name. A new driver is a class with a line here.</summary>
internal static class SoakLegs
{
    private static readonly ISoakLeg[] All = [new ModelLeg(), new SchedulesLeg(), new FaultsLeg(), new CrashesLeg(), new StormsLeg(), new SqliteLeg()];

    public static IEnumerable<string> Names => All.Select(static leg => leg.Name);

    /// <exception cref="FormatException">There is no such leg.</exception>
    public static ISoakLeg Named(string name) =>
        Array.Find(All, leg => leg.Name == name) ?? throw new FormatException($"'{name}' is no leg: there are {string.Join(", ", Names)}.");
}
