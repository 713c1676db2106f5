using System.Globalization;
using System.Text;

namespace SharedPageCache.TestKit.Runs;

/// <summary>Numbers of steps as a short text: <c>0-5,7,9-12</c>.</summary>
public static class StepList
{
    /// <summary>Steps as a text.</summary>
    /// <param name="steps">The numbers, ascending.</param>
    /// <returns>The text; empty for none.</returns>
    public static string Format(IReadOnlyList<int> steps)
    {
        ArgumentNullException.ThrowIfNull(steps);
        var text = new StringBuilder();
        for (var i = 0; i < steps.Count; i++)
        {
            var first = i;
            while (i + 1 < steps.Count && steps[i + 1] == steps[i] + 1)
            {
                i++;
            }

            text.Append(text.Length > 0 ? "," : "").Append(CultureInfo.InvariantCulture, $"{steps[first]}");
            if (i > first)
            {
                text.Append(CultureInfo.InvariantCulture, $"-{steps[i]}");
            }
        }

        return text.ToString();
    }

    /// <summary>A text as steps.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The numbers.</returns>
    /// <exception cref="FormatException">The text is no list of steps.</exception>
    public static IReadOnlyList<int> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var steps = new List<int>();
        foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var ends = part.Split('-');
            if (ends.Length > 2)
            {
                throw new FormatException($"'{part}' is no step and no range of steps.");
            }

            var (first, last) = (int.Parse(ends[0], CultureInfo.InvariantCulture), int.Parse(ends[^1], CultureInfo.InvariantCulture));
            for (var step = first; step <= last; step++)
            {
                steps.Add(step);
            }
        }

        return steps;
    }
}
