namespace SharedPageCache.HouseTests;

/// <summary>A rule holds when nothing breaks it; else every breach is named, not only the first.</summary>
internal static class Rule
{
    public static void Holds(IEnumerable<string> breaches, string rule)
    {
        string[] found = [.. breaches.Distinct(StringComparer.Ordinal)];
        Assert.True(found.Length == 0, $"{rule}{Environment.NewLine}  {string.Join(Environment.NewLine + "  ", found)}");
    }
}
