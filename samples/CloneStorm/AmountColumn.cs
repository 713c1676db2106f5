using Spectre.Console;
using Spectre.Console.Rendering;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>The column of a progress line that says how much was done, in bytes or in things.</summary>
internal sealed class AmountColumn : ProgressColumn
{
    private const string CountsBytes = "counts bytes";

    /// <inheritdoc/>
    protected override bool NoWrap => true;

    /// <summary>Says that a step counts bytes.</summary>
    /// <param name="task">The step's line.</param>
    public static void CountBytes(ProgressTask task) => task.State.Update<bool>(CountsBytes, _ => true);

    /// <inheritdoc/>
    public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime)
    {
        string amount = task.State.Get<bool>(CountsBytes) ? ByteSize.Text(task.Value) : $"{task.Value:n0}";
        return new Text(amount).RightJustified();
    }

    /// <inheritdoc/>
    public override int? GetColumnWidth(RenderOptions options) => "1023.9 MiB".Length;
}
