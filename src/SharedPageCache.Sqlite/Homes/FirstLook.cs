using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Homes;

/// <summary>
/// Looks at a directory that is going to be a store for the first time: there may be SQLite databases in it, which become the store's, but
/// nothing that a user keeps for another purpose.
/// </summary>
internal static class FirstLook
{
    /// <exception cref="InvalidDataException">There is something else.</exception>
    public static void At(string directory)
    {
        foreach (var path in Directory.EnumerateFiles(directory))
        {
            var name = Path.GetFileName(path);
            var owner = DatabaseName.OwnerOf(name);
            var belongs = owner is not null ? File.Exists(Path.Combine(directory, owner)) : DatabaseName.IsValid(name) && IsDatabase(path);
            if (!belongs && !name.StartsWith('.'))
            {
                throw new InvalidDataException(
                    $"The directory '{directory}' is no store, and cannot become one with '{name}' in it, which is no SQLite database: give the store a directory of its own.");
            }
        }
    }

    /// <summary>Whether a file begins as SQLite's do, or is empty, as a new one is.</summary>
    private static bool IsDatabase(string path)
    {
        using var file = File.OpenHandle(path);
        return RandomAccess.GetLength(file) == 0 || DatabaseHead.IsIn(file);
    }
}
