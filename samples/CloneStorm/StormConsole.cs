using Spectre.Console;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>The terminals that the sample writes to.</summary>
internal static class StormConsole
{
    private const int ReadableWidth = 100;

    /// <summary>Standard output: colours and moving bars where it is a terminal, plain text where it is not.</summary>
    public static IAnsiConsole ForPeople() => On(Console.Out, Console.IsOutputRedirected);

    /// <summary>Standard error where somebody watches it; otherwise nowhere.</summary>
    public static IAnsiConsole ForProgressOnly() =>
        On(Console.IsErrorRedirected ? TextWriter.Null : Console.Error, Console.IsErrorRedirected);

    private static IAnsiConsole On(TextWriter writer, bool redirected)
    {
        var settings = new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) };
        if (redirected)
        {
            settings.Ansi = AnsiSupport.No;
            settings.ColorSystem = ColorSystemSupport.NoColors;
            settings.Interactive = InteractionSupport.No;
        }

        IAnsiConsole console = AnsiConsole.Create(settings);
        console.Profile.Width = redirected ? ReadableWidth : Math.Min(console.Profile.Width, ReadableWidth);
        return console;
    }
}
