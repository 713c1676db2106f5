using Spectre.Console;
using Spectre.Console.Rendering;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>The column of a progress line that says how long the step has taken.</summary>
internal sealed class SecondsColumn : ProgressColumn
{
    private static readonly Style Quiet = new(Color.Grey);

    /// <inheritdoc/>
    protected override bool NoWrap => true;

    /// <inheritdoc/>
    public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
        new Text($"{task.ElapsedTime.GetValueOrDefault().TotalSeconds:0.0} s", Quiet).RightJustified();

    /// <inheritdoc/>
    public override int? GetColumnWidth(RenderOptions options) => "999.9 s".Length;
}
