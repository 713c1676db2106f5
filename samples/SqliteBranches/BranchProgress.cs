using Spectre.Console;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>How far the run is: a bar for each step in a terminal, a line for each step elsewhere.</summary>
internal sealed class BranchProgress
{
    private readonly IAnsiConsole _console;
    private readonly ProgressContext? _bars;

    private BranchProgress(IAnsiConsole console, ProgressContext? bars)
    {
        _console = console;
        _bars = bars;
    }

    /// <summary>Standard output for people; standard error if the output is JSON and somebody watches.</summary>
    public static IAnsiConsole ConsoleFor(BranchOptions options)
    {
        bool redirected = options.Json ? Console.IsErrorRedirected : Console.IsOutputRedirected;
        TextWriter writer = !options.Json ? Console.Out : redirected ? TextWriter.Null : Console.Error;
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

    /// <summary>Shows progress while some work runs.</summary>
    public static T Show<T>(IAnsiConsole console, Func<BranchProgress, T> work) => console.Profile.Capabilities.Interactive
        ? console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = 24 }, new ElapsedTimeColumn())
            .Start(bars => work(new BranchProgress(console, bars)))
        : work(new BranchProgress(console, null));

    /// <summary>Runs a step, which says how much of it is done: 0 to 1.</summary>
    public T Step<T>(string name, Func<Action<double>, T> work)
    {
        if (_bars is null)
        {
            _console.WriteLine(name);
            return work(static _ => { });
        }

        ProgressTask bar = _bars.AddTask(Markup.Escape(name), maxValue: 1);
        T result = work(done => bar.Value = done);
        bar.Value = 1;
        bar.StopTask();
        return result;
    }
}
