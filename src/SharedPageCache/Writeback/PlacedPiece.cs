using SharedPageCache.Mappings;

namespace SharedPageCache.Writeback;

/// <summary>Images that go to one placed run.</summary>
internal sealed class PlacedPiece(PlacedRun run, List<DirtyImage> images)
{
    public PlacedRun Run { get; } = run;

    public List<DirtyImage> Images { get; } = images;

    /// <summary>Why it did not get to the device.</summary>
    public Exception? Error { get; private set; }

    public string FailedStep { get; private set; } = "";

    public void FailIfGood(string step, Exception error)
    {
        if (Error is null)
        {
            (FailedStep, Error) = (step, error);
        }
    }

    /// <summary>Whether the piece can be written in one call with another: next to it on the device, and in the same file.</summary>
    public bool Follows(PlacedPiece other)
    {
        var (first, last) = (Images[0].Origin, other.Images[^1].Origin);
        return Run.Blocks.Offset == other.Run.Blocks.End && Run.Generation == other.Run.Generation
            && first.File == last.File && first.Page == last.Page + 1;
    }

    /// <summary>Matches an engine's answer with the runs that it was asked for.</summary>
    /// <returns>What is wrong with the answer, or null.</returns>
    public static string? Match(
        VolumeMap volume, List<List<DirtyImage>> runs, ReadOnlySpan<PlacedRun> placed, int pageSize, List<PlacedPiece> pieces)
    {
        if (FaultOf(volume, runs.ConvertAll(run => (long)run.Count * pageSize), placed, pageSize) is { } fault)
        {
            return fault;
        }

        var next = 0;
        foreach (var run in runs)
        {
            for (var done = 0; done < run.Count;)
            {
                var answer = placed[next++];
                var count = (int)(answer.Blocks.Length / pageSize);
                pieces.Add(new PlacedPiece(answer, run.GetRange(done, count)));
                done += count;
            }
        }

        return null;
    }

    /// <summary>What is wrong with an engine's answer to dirty runs of some lengths, or null.</summary>
    public static string? FaultOf(VolumeMap volume, List<long> lengths, ReadOnlySpan<PlacedRun> placed, int pageSize)
    {
        var next = 0;
        foreach (var length in lengths)
        {
            for (var done = 0L; done < length; done += placed[next++].Blocks.Length)
            {
                if (next == placed.Length)
                {
                    return $"the engine placed {placed.Length} runs, which is too short for {lengths.Count} dirty runs.";
                }

                if (FaultOf(volume, placed[next].Blocks, length - done, pageSize) is { } fault)
                {
                    return fault;
                }
            }
        }

        return next < placed.Length ? $"the engine placed {placed.Length} runs where {next} were enough." : FaultOfOverlap(placed);
    }

    /// <summary>
    /// Makes runs that are right in every other respect the write-back's own: from then on nothing is loaded from them, and nobody else
    /// writes to them.
    /// </summary>
    /// <returns>What is wrong with them, or null; then none is listed.</returns>
    public static string? FaultOfTaking(VolumeMap volume, ShownBlocks shown, IReadOnlyList<ShownBlocks.Placing> placed) =>
        shown.FaultOf(volume, placed)
        ?? (volume.Placed.TryAdd(placed.Select(static placing => placing.Run.Blocks)) is { } taken
            ? $"the engine is writing blocks of the placed run {taken} itself."
            : null);

    private static string? FaultOf(VolumeMap volume, BlockRun blocks, long most, int pageSize)
    {
        if (blocks.Offset < 0 || blocks.Length <= 0 || blocks.Offset > long.MaxValue - blocks.Length
            || ((blocks.Offset | blocks.Length) & (pageSize - 1)) != 0)
        {
            return $"the placed run at {blocks.Offset} of {blocks.Length} bytes is negative, empty, overflows or is not aligned to the page size {pageSize}.";
        }

        if (blocks.Length > most)
        {
            return $"the placed run {blocks} is longer than the {most} bytes that it is for.";
        }

        return blocks.End > volume.Device.Length
            ? $"the placed run {blocks} reaches beyond the end {volume.Device.Length} of the device."
            : null;
    }

    private static string? FaultOfOverlap(ReadOnlySpan<PlacedRun> placed)
    {
        var sorted = placed.ToArray();
        Array.Sort(sorted, static (left, right) => left.Blocks.Offset.CompareTo(right.Blocks.Offset));
        for (var i = 1; i < sorted.Length; i++)
        {
            if (sorted[i - 1].Blocks.Overlaps(sorted[i].Blocks))
            {
                return $"the placed runs {sorted[i - 1].Blocks} and {sorted[i].Blocks} overlap.";
            }
        }

        return null;
    }
}
