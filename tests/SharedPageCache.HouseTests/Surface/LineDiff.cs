namespace SharedPageCache.HouseTests.Surface;

/// <summary>The difference of two texts, line by line, without the lines that they share.</summary>
internal static class LineDiff
{
    /// <summary>Lines of the old text marked with a minus, of the new one with a plus, each below its type.</summary>
    public static IReadOnlyList<string> Of(string old, string now)
    {
        string[] before = old.Split('\n');
        string[] after = now.Split('\n');
        int[,] common = CommonTails(before, after);
        List<string> lines = [];
        string heading = "";
        string written = "";
        for (int i = 0, j = 0; i < before.Length || j < after.Length;)
        {
            if (i < before.Length && j < after.Length && before[i] == after[j])
            {
                heading = IsHeading(before[i]) ? before[i] : heading;
                i++;
                j++;
                continue;
            }

            bool isRemoved = j == after.Length || (i < before.Length && common[i + 1, j] >= common[i, j + 1]);
            string line = isRemoved ? before[i++] : after[j++];
            if (line.Length == 0)
            {
                continue;
            }

            if (IsHeading(line))
            {
                heading = written = line;
            }
            else if (written != heading)
            {
                lines.Add("  " + heading);
                written = heading;
            }

            lines.Add((isRemoved ? "- " : "+ ") + line);
        }

        return lines;
    }

    private static bool IsHeading(string line) => line.Length > 0 && line[0] != ' ';

    /// <summary>For each pair of positions, how many lines the rest of both texts has in common at most.</summary>
    private static int[,] CommonTails(string[] before, string[] after)
    {
        int[,] common = new int[before.Length + 1, after.Length + 1];
        for (int i = before.Length - 1; i >= 0; i--)
        {
            for (int j = after.Length - 1; j >= 0; j--)
            {
                common[i, j] = before[i] == after[j]
                    ? common[i + 1, j + 1] + 1
                    : Math.Max(common[i + 1, j], common[i, j + 1]);
            }
        }

        return common;
    }
}
