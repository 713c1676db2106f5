using Spectre.Console;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>How far the run is: a bar for each step in a terminal, a line for each step elsewhere.</summary>
internal sealed class StormProgress
{
    private readonly IAnsiConsole _console;
    private readonly ProgressContext? _bars;

    private StormProgress(IAnsiConsole console, ProgressContext? bars)
    {
        _console = console;
        _bars = bars;
    }

    /// <summary>Shows progress while some work runs.</summary>
    /// <param name="console">Where to show it.</param>
    /// <param name="work">The work.</param>
    /// <returns>What the work returned.</returns>
    public static T Show<T>(IAnsiConsole console, Func<StormProgress, T> work)
    {
        if (!console.Profile.Capabilities.Interactive)
            return work(new StormProgress(console, bars: null));

        var bar = new ProgressBarColumn
        {
            Width = 24,
            CompletedStyle = StormReport.Ours,
            FinishedStyle = StormReport.Ours,
        };
        return console.Progress()
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left },
                bar,
                new AmountColumn(),
                new SecondsColumn())
            .Start(bars => work(new StormProgress(console, bars)));
    }

    /// <summary>Begins a step that counts things.</summary>
    /// <param name="name">What is done.</param>
    /// <param name="total">How many things there are.</param>
    public ProgressStep Begin(string name, long total) => new(AddBar(name, total));

    /// <summary>Begins a step that counts bytes.</summary>
    /// <param name="name">What is done.</param>
    /// <param name="totalBytes">How many bytes there are.</param>
    public ProgressStep BeginBytes(string name, long totalBytes)
    {
        ProgressTask? bar = AddBar(name, totalBytes);
        if (bar is not null)
            AmountColumn.CountBytes(bar);
        return new ProgressStep(bar);
    }

    private ProgressTask? AddBar(string name, long total)
    {
        if (_bars is not null)
            return _bars.AddTask(Markup.Escape(name), maxValue: total);
        _console.WriteLine(name);
        return null;
    }
}
