using Spectre.Console;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>How far the run is: a bar for each step in a terminal, a line for each step elsewhere.</summary>
internal sealed class ExperimentProgress
{
    private readonly IAnsiConsole _console;
    private readonly ProgressContext? _bars;

    private ExperimentProgress(IAnsiConsole console, ProgressContext? bars)
    {
        _console = console;
        _bars = bars;
    }

    /// <summary>Standard output: colours and moving bars where it is a terminal, plain text where it is not.</summary>
    public static IAnsiConsole ConsoleForPeople() => On(Console.Out, Console.IsOutputRedirected);

    /// <summary>Standard error where somebody watches it; otherwise nowhere.</summary>
    public static IAnsiConsole ConsoleForProgressOnly() =>
        On(Console.IsErrorRedirected ? TextWriter.Null : Console.Error, Console.IsErrorRedirected);

    /// <summary>Shows progress while some work runs.</summary>
    /// <param name="console">Where to show it.</param>
    /// <param name="work">The work.</param>
    /// <returns>What the work returned.</returns>
    public static T Show<T>(IAnsiConsole console, Func<ExperimentProgress, T> work) =>
        !console.Profile.Capabilities.Interactive
            ? work(new ExperimentProgress(console, bars: null))
            : console.Progress()
                .Columns(
                    new TaskDescriptionColumn { Alignment = Justify.Left },
                    new ProgressBarColumn { Width = 24 },
                    new PercentageColumn(),
                    new ElapsedTimeColumn())
                .Start(bars => work(new ExperimentProgress(console, bars)));

    /// <summary>Begins a step that counts things.</summary>
    /// <param name="name">What is done.</param>
    /// <param name="total">How many things there are.</param>
    /// <returns>To be called, from any thread, with how many more are done.</returns>
    public Action<long> Begin(string name, long total)
    {
        if (_bars is null)
        {
            _console.WriteLine(name);
            return static _ => { };
        }

        ProgressTask bar = _bars.AddTask(Markup.Escape(name), maxValue: total);
        return done => bar.Increment(done);
    }

    /// <summary>Begins a step that counts bytes.</summary>
    /// <param name="name">What is done.</param>
    /// <param name="totalBytes">How many bytes there are.</param>
    /// <returns>To be called, from any thread, with how many more are done.</returns>
    public Action<long> BeginBytes(string name, long totalBytes) =>
        Begin($"{name}, {ByteSize.Text(totalBytes)}", totalBytes);

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
        console.Profile.Width = redirected ? 100 : Math.Min(console.Profile.Width, 100);
        return console;
    }
}
