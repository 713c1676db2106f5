using CommunityToolkit.HighPerformance.Buffers;

namespace SharedPageCache.Mappings;

/// <summary>Asks an engine for the extents of one window and turns the answer into runs, or refuses it.</summary>
internal static class ExtentReader
{
    /// <summary>Asks for the extents of a window.</summary>
    /// <param name="file">The file.</param>
    /// <param name="window">The window.</param>
    /// <param name="blocking">Whether the caller's thread may block for the answer.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    /// <exception cref="ExtentMapException">The engine failed, or its answer breaks a rule of <see cref="Extent"/>.</exception>
    /// <exception cref="PageLoadException">The device failed to give its length.</exception>
    public static async ValueTask<WindowRuns> ReadAsync(
        FileMapping file, long window, bool blocking, CancellationToken cancellationToken)
    {
        using var writer = new ArrayPoolBufferWriter<Extent>(16);
        var (offset, end) = RangeOf(file, window, windows: 1);
        await AskAsync(file, offset, end, writer, blocking, cancellationToken).ConfigureAwait(false);
        return ToRuns(file, writer.WrittenSpan, offset, end);
    }

    /// <summary>Asks for the extents of several windows at once.</summary>
    /// <param name="file">The file.</param>
    /// <param name="firstWindow">The first window.</param>
    /// <param name="windows">How many there are.</param>
    /// <param name="blocking">Whether the caller's thread may block for the answer.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    /// <returns>The runs of each window; none for one that lies behind the end of the file.</returns>
    /// <inheritdoc cref="ReadAsync(FileMapping, long, bool, CancellationToken)" path="/exception"/>
    public static async ValueTask<WindowRuns[]> ReadAsync(
        FileMapping file, long firstWindow, int windows, bool blocking, CancellationToken cancellationToken)
    {
        using var writer = new ArrayPoolBufferWriter<Extent>(64);
        var (offset, end) = RangeOf(file, firstWindow, windows);
        if (offset < end)
        {
            await AskAsync(file, offset, end, writer, blocking, cancellationToken).ConfigureAwait(false);
        }

        var runs = new WindowRuns[windows];
        for (var i = 0; i < windows; i++)
        {
            var start = offset + ((long)i << file.Volume.PageShift + Window.Shift);
            runs[i] = ToRuns(file, writer.WrittenSpan, start, Math.Min(end, start + (1L << file.Volume.PageShift + Window.Shift)));
        }

        return runs;
    }

    private static (long Offset, long End) RangeOf(FileMapping file, long firstWindow, int windows)
    {
        var shift = file.Volume.PageShift + Window.Shift;
        return (firstWindow << shift, Math.Min(RoundUp(file.Tree.Length, file.Volume.PageSize), firstWindow + windows << shift));
    }

    private static async ValueTask AskAsync(
        FileMapping file, long offset, long end, ArrayPoolBufferWriter<Extent> writer, bool blocking, CancellationToken cancellationToken)
    {
        try
        {
            var answer = file.Extents.GetExtentsAsync(offset, end - offset, writer, cancellationToken);
            if (blocking && !answer.IsCompleted)
            {
                answer.AsTask().GetAwaiter().GetResult();
            }
            else
            {
                await answer.ConfigureAwait(false);
            }
        }
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw new ExtentMapException(
                file.Id, file.Name, offset, end - offset, $"the engine failed ({error.GetType().Name}: {error.Message})", error);
        }
    }

    /// <summary>How many slots the leaf of a window has: the pages of the file in it.</summary>
    public static int SlotCountOf(FileMapping file, long window)
    {
        var pages = Math.Max(1, RoundUp(file.Tree.Length, file.Volume.PageSize) >> file.Volume.PageShift);
        return (int)Math.Min(Window.Pages, pages - (window << Window.Shift));
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;

    private static WindowRuns ToRuns(FileMapping file, ReadOnlySpan<Extent> extents, long offset, long end)
    {
        var volume = file.Volume;
        var runs = new List<WindowRun>(extents.Length);
        var covered = long.MinValue;
        var deviceLength = -1L;
        foreach (var extent in extents)
        {
            if (FaultOf(extent, file, covered, ref deviceLength) is { } fault)
            {
                throw new ExtentMapException(file.Id, file.Name, offset, end - offset, fault);
            }

            covered = extent.FileEnd;
            if (extent.ReadsZero || extent.FileEnd <= offset || extent.FileOffset >= end)
            {
                continue;
            }

            var from = Math.Max(extent.FileOffset, offset);
            var to = Math.Min(extent.FileEnd, end);
            var physical = extent.IsOpaque ? -1 : extent.PhysicalOffset + (from - extent.FileOffset);
            runs.Add(new WindowRun((int)(from - offset), (int)(to - from), physical, extent.Flags, extent.Generation));
        }

        WindowRuns.Merge(runs);
        return WindowRuns.Encode([.. runs], Math.Min(volume.BlockSize, volume.PageSize));
    }

    /// <param name="extent">The extent.</param>
    /// <param name="file">The file that it was given for.</param>
    /// <param name="covered">The end of the extent before.</param>
    /// <param name="deviceLength">The length of the device: asked for once an answer, -1 until then.</param>
    private static string? FaultOf(Extent extent, FileMapping file, long covered, ref long deviceLength)
    {
        var volume = file.Volume;
        var block = volume.BlockSize;
        if (extent.FileOffset < 0 || extent.Length <= 0 || extent.FileOffset > long.MaxValue - extent.Length)
        {
            return $"extent at file offset {extent.FileOffset} with length {extent.Length} is negative, empty or overflows.";
        }

        if (extent.FileOffset < covered)
        {
            return $"extent at file offset {extent.FileOffset} begins before the end {covered} of the one before: extents must ascend without overlap.";
        }

        if (((extent.FileOffset | extent.Length) & (block - 1)) != 0)
        {
            return $"extent [{extent.FileOffset}, {extent.FileEnd}) is not aligned to the device's block size {block}.";
        }

        if (extent.ReadsZero || extent.IsOpaque)
        {
            return null;
        }

        if (extent.PhysicalOffset < 0 || extent.PhysicalOffset > long.MaxValue - extent.Length
            || (extent.PhysicalOffset & (block - 1)) != 0)
        {
            return $"physical offset {extent.PhysicalOffset} is negative, overflows or is not aligned to the device's block size {block}.";
        }

        deviceLength = deviceLength < 0 ? DeviceLengthFor(extent, file) : deviceLength;
        if (extent.PhysicalOffset + extent.Length > deviceLength)
        {
            return $"blocks [{extent.PhysicalOffset}, {extent.PhysicalOffset + extent.Length}) reach beyond the end {deviceLength} of the device.";
        }

        return extent.PhysicalOffset + extent.Length >> volume.PageShift > Frames.BlockIdentity.MaxBlock
            ? $"physical offset {extent.PhysicalOffset} is beyond the largest block number {Frames.BlockIdentity.MaxBlock}."
            : null;
    }

    private static long DeviceLengthFor(Extent extent, FileMapping file)
    {
        try
        {
            return Math.Max(0, file.Volume.Device.Length);
        }
        catch (Exception error)
        {
            throw new PageLoadException(
                file.Id, file.Name, extent.FileOffset, new BlockRun(extent.PhysicalOffset, extent.Length),
                $"the device failed to give its length: {error.Message}", error);
        }
    }
}
