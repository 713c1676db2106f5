using System.Diagnostics;
using System.Text;

namespace SharedPageCache.Schedules.Exploring;

/// <summary>The operations of one schedule, written down in columns, a column a thread.</summary>
internal sealed class Trace(int threads, Func<nint, string?> nameOf)
{
    private const int LongestTrace = 4000;

    private readonly List<(int Thread, string Text, int Times)> _lines = [];
    private int _dropped;

    public void Add(int thread, string operation, nint address, object? was, object? now)
    {
        var name = address == 0 ? null : Scheduler.Quietly(() => nameOf(address));
        var change = operation switch
        {
            "load" => now is long or int or byte ? $" = {Number(now)}" : now is null ? " = null" : "",
            "store" or "exchange" or "cas" or "or" or "and" or "add" or "increment" or "decrement" when now is long or int or byte =>
                $" {(was is null ? "" : Number(was))} -> {Number(now)}",
            "cas failed" when was is long or int => $" saw {Number(was)}",
            _ => "",
        };
        Append(thread, $"{Place()}: {operation}{(name is null ? "" : " " + name)}{change}");
    }

    public void Note(int thread, string text) => Append(thread, $"*** {text}");

    public override string ToString()
    {
        const int Width = 96;
        var text = new StringBuilder();
        for (var i = 0; i < threads; i++)
        {
            text.Append($"| thread {i}".PadRight(Width));
        }

        text.AppendLine();
        foreach (var (thread, line, times) in _lines)
        {
            text.Append(new string(' ', thread * Width)).Append("| ").Append(line);
            text.AppendLine(times > 1 ? $"  (x{times})" : "");
        }

        if (_dropped > 0)
        {
            text.AppendLine($"({_dropped} more)");
        }

        return text.ToString();
    }

    private static string Number(object? value) => value switch
    {
        long word when word is > 4095 or < -4095 => $"0x{word:x}",
        _ => $"{value}",
    };

    /// <summary>The methods of the core that are on the stack, innermost first.</summary>
    private static string Place()
    {
        var names = new List<string>(3);
        foreach (var frame in new StackTrace(3, false).GetFrames())
        {
            if (frame.GetMethod() is not { DeclaringType: { } type } method
                || type.Namespace is not { } space
                || !space.StartsWith("SharedPageCache", StringComparison.Ordinal)
                || space.StartsWith("SharedPageCache.Schedules", StringComparison.Ordinal)
                || type.Name == "Atomic")
            {
                continue;
            }

            var (typeName, methodName) = (type.Name, method.Name);
            if (typeName.StartsWith('<') && type.DeclaringType is { } outer)
            {
                methodName = typeName.StartsWith("<>", StringComparison.Ordinal)
                    ? methodName.Split('<', '>').ElementAtOrDefault(1) ?? methodName
                    : typeName[1..typeName.IndexOf('>')];
                typeName = outer.Name;
            }

            names.Add($"{typeName}.{methodName}");
            if (names.Count == 3)
            {
                break;
            }
        }

        return string.Join(" < ", names);
    }

    private void Append(int thread, string text)
    {
        if (_lines.Count > 0 && _lines[^1] is var last && last.Thread == thread && last.Text == text)
        {
            _lines[^1] = last with { Times = last.Times + 1 };
        }
        else if (_lines.Count < LongestTrace)
        {
            _lines.Add((thread, text, 1));
        }
        else
        {
            _dropped++;
        }
    }
}
