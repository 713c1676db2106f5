using System.Globalization;

namespace SharedPageCache.Stress.Faults;

/// <summary>A short program over a few files. Its steps stand one behind the other, with semicolons between.</summary>
/// <remarks>
/// <para>
/// A step is a verb, the name of a file, and sizes: <c>write a p+7 2p</c> writes two pages at one page and seven bytes of file
/// a (<c>p</c> is the page size). <c>a</c> is there from the beginning, with eight pages that lie on the device. Steps with a
/// slash between them run at the same time. <c>@Place write a 0 p</c> runs when the engine, or the device, is next called so.
/// </para>
/// <para>The verbs stand in <see cref="Play"/>.</para>
/// </remarks>
internal sealed record Scenario(string Name, string Program)
{
    /// <summary>The steps; those that run at the same time are together.</summary>
    public IEnumerable<Step[]> Steps =>
        Program.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(static part => part.Split('/').Select(Step.Parse).ToArray());
}

/// <summary>One step of a scenario.</summary>
/// <param name="Moment">The call in which it runs; null for now.</param>
/// <param name="Verb">What is done.</param>
/// <param name="Words">To what.</param>
internal sealed record Step(string? Moment, string Verb, string[] Words)
{
    public string File => Words[0];

    public static Step Parse(string text)
    {
        var words = text.Split(' ', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return words[0][0] == '@' ? new Step(words[0][1..], words[1], words[2..]) : new Step(null, words[0], words[1..]);
    }

    /// <summary>A size in bytes: numbers, each perhaps of pages (<c>3p</c>, <c>p</c>), with + and - between.</summary>
    public int Size(int word, int pageSize)
    {
        var (sum, sign, text) = (0, 1, Words[word]);
        for (var at = 0; at < text.Length;)
        {
            var end = text.IndexOfAny(['+', '-'], at);
            end = end < 0 ? text.Length : end;
            var term = text[at..end];
            sum += sign * (term == "p" ? pageSize
                : term[^1] == 'p' ? int.Parse(term[..^1], CultureInfo.InvariantCulture) * pageSize
                : int.Parse(term, CultureInfo.InvariantCulture));
            sign = end < text.Length && text[end] == '-' ? -1 : 1;
            at = end + 1;
        }

        return sum;
    }

    public override string ToString() => $"{(Moment is null ? "" : $"@{Moment} ")}{Verb} {string.Join(' ', Words)}";
}
