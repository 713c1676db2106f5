namespace SharedPageCache.Mutants;

/// <summary>One small change of the core that breaks one rule.</summary>
/// <param name="Name">Its name.</param>
/// <param name="File">The source, below <c>src/SharedPageCache</c>.</param>
/// <param name="Rule">The rule that it breaks.</param>
/// <param name="Killers">Filters of the tests that are asked first: a class, or class and method; of another project with its name and a colon before.</param>
/// <param name="IsInCi">Whether every change of the project is checked with it.</param>
/// <param name="Find">The text that is replaced; it occurs once.</param>
/// <param name="With">What stands there instead.</param>
public sealed record Mutant(string Name, string File, string Rule, IReadOnlyList<string> Killers, bool IsInCi, string Find, string With)
{
    /// <summary>The room that it is in; the root has the name of the core.</summary>
    public string Room => File.Contains('/', StringComparison.Ordinal) ? File[..File.IndexOf('/', StringComparison.Ordinal)] : "root";

    /// <summary>Reads the list; see its head for the form.</summary>
    /// <exception cref="FormatException">The list is not in its form.</exception>
    public static List<Mutant> ReadAll(string list)
    {
        var mutants = new List<Mutant>();
        var lines = System.IO.File.ReadAllLines(list);
        for (var i = 0; i < lines.Length; i++)
        {
            if (!lines[i].StartsWith("mutant ", StringComparison.Ordinal))
            {
                continue;
            }

            var name = lines[i]["mutant ".Length..].Trim();
            var fields = new Dictionary<string, string>(StringComparer.Ordinal);
            for (i++; i < lines.Length && lines[i] != "find"; i++)
            {
                var (word, rest) = lines[i].Split(' ', 2) is [var first, var second] ? (first, second.Trim()) : (lines[i], "");
                fields.Add(word, rest);
            }

            var find = Block(lines, ref i, "with");
            var with = Block(lines, ref i, "end");
            string Field(string key) => fields.TryGetValue(key, out var value) && value.Length > 0
                ? value : throw new FormatException($"The mutant {name} has no '{key}'.");
            mutants.Add(new Mutant(
                name, Field("in"), Field("breaks"), Field("killer").Split("; "), fields.ContainsKey("ci"), find, with));
        }

        return mutants.Select(static mutant => mutant.Name).Distinct().Count() == mutants.Count
            ? mutants : throw new FormatException("Two mutants have the same name.");
    }

    /// <summary>What is wrong with the mutant in the sources of now, or null.</summary>
    public string? FaultIn(string sources)
    {
        var path = Path.Combine(sources, File);
        if (!System.IO.File.Exists(path))
        {
            return $"{Name}: there is no {File}.";
        }

        var places = PlacesIn(Read(path));
        return places == 1 ? null : $"{Name}: its text occurs {places} times in {File}.";
    }

    /// <summary>A source with the change in it.</summary>
    public string ApplyTo(string text) => text.ReplaceLineEndings("\n").Replace(Find, With, StringComparison.Ordinal);

    private int PlacesIn(string text)
    {
        var places = 0;
        for (var at = text.IndexOf(Find, StringComparison.Ordinal); at >= 0; at = text.IndexOf(Find, at + 1, StringComparison.Ordinal))
        {
            places++;
        }

        return places;
    }

    private static string Read(string path) => System.IO.File.ReadAllText(path).ReplaceLineEndings("\n");

    private static string Block(string[] lines, ref int i, string end)
    {
        var block = new List<string>();
        for (i++; i < lines.Length && lines[i] != end; i++)
        {
            block.Add(lines[i]);
        }

        return string.Join('\n', block);
    }
}
