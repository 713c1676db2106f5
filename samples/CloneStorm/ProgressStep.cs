using Spectre.Console;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>One step of <see cref="StormProgress"/>. Safe for use by many threads.</summary>
internal sealed class ProgressStep
{
    private readonly ProgressTask? _task;

    /// <summary>Makes a step.</summary>
    /// <param name="task">Its bar; null where bars cannot move.</param>
    public ProgressStep(ProgressTask? task)
    {
        _task = task;
    }

    /// <summary>Tells that more was done.</summary>
    /// <param name="amount">Bytes or things, whichever the step counts.</param>
    public void Advance(long amount)
    {
        _task?.Increment(amount);
        if (_task is { IsFinished: true })
            _task.StopTask(); // stops its clock
    }
}
