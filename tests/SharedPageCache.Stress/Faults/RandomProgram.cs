namespace SharedPageCache.Stress.Faults;

/// <summary>Programs that nobody has thought of.</summary>
internal static class RandomProgram
{
    private static readonly string[] _names = ["a", "b", "c", "d"];

    public static Scenario Of(Dice dice, int steps) =>
        new("random", string.Join("; ", Enumerable.Range(0, steps).Select(_ => StepOf(dice))));

    private static string StepOf(Dice dice)
    {
        var (file, other) = (dice.Pick<string>(_names), dice.Pick<string>(_names));
        var (first, pages) = (dice.Below(10), dice.From(1, 3));
        var offset = dice.OneIn(2) ? $"{first}p" : $"{first}p+{dice.Below(500)}";
        var length = dice.OneIn(2) ? $"{pages}p" : $"{dice.From(1, 900)}";
        return dice.Below(30) switch
        {
            < 5 => $"write {file} {offset} {length}",
            5 => $"write {file} {first}p {length} {dice.From(1, 99)}",
            6 or 7 => $"read {file} {offset} {length}",
            8 => $"read {file}",
            9 => $"tryread {file} {offset} {length}",
            10 => $"stream {file}",
            11 => $"prefetch {file} 0 9p",
            12 or 13 => "flush",
            14 => $"flush {file}",
            15 => $"flush {file} {offset} {length}",
            16 or 17 when file != other => $"clone {file} {other}",
            18 when file != other => $"range {file} {first}p {other} {dice.Below(10)}p {pages}p",
            19 when file != other => $"dedupe {file} {other}",
            20 when file != other => $"merge {file} {other}",
            21 when file != "a" => $"delete {file}",
            22 => $"close {file}; open {file}",
            23 => $"setlen {file} {offset}",
            24 => $"punch {file} {offset} {length}",
            25 => $"zero {file} {offset} {length}",
            26 => $"around {file} {first}p {pages}p",
            27 => $"lease {file} {first}p L; write {file} {first}p 9; give L",

            // Shorter, never longer: the zeros behind an old end inside the leased page would wait for the lease, as any write of its flow does.
            28 => $"wlease {file} {first}p W; fill W; {(dice.OneIn(3) ? $"setlen {file} {dice.Below(first + 1)}p; " : "")}commit W; give W",
            _ => dice.OneIn(4) ? "sweep" : $"invalidate {file}",
        };
    }
}
