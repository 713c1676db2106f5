namespace SharedPageCache.Mappings;

/// <summary>A run of a window: bytes [<paramref name="Start"/>, Start + Length) of the window and where they lie.</summary>
/// <param name="Start">First byte, counted from the start of the window.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="Physical">First byte on the device, or -1 if the bytes can only be read through the file.</param>
/// <param name="Flags">The engine's flags; never a hole or unwritten (those are gaps).</param>
/// <param name="Generation">The engine's generation of the blocks.</param>
internal readonly record struct WindowRun(int Start, int Length, long Physical, ExtentFlags Flags, uint Generation)
{
    public int End => Start + Length;

    public bool IsOpaque => Physical < 0;

    public BlockRun Blocks => IsOpaque ? BlockRun.None : new BlockRun(Physical, Length);

    /// <summary>This run and the next one as one run, if the next one continues it in every respect.</summary>
    public WindowRun? TryJoin(WindowRun next) =>
        End == next.Start && Flags == next.Flags && Generation == next.Generation
        && (IsOpaque ? next.IsOpaque : Physical + Length == next.Physical)
            ? this with { Length = Length + next.Length }
            : null;

    /// <summary>The part of the run that lies in [<paramref name="start"/>, <paramref name="end"/>).</summary>
    public WindowRun Clip(int start, int end)
    {
        var from = Math.Max(Start, start);
        var to = Math.Min(End, end);
        return new WindowRun(from, to - from, IsOpaque ? -1 : Physical + (from - Start), Flags, Generation);
    }
}
