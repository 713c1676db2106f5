using SharedPageCache.Eviction;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// Runs loads: reads, verifies, publishes upwards (bytes, state, record, reference), or undoes everything.
/// </summary>
internal sealed class LoadRunner(Rooms rooms, LoadTable loads, PageInstaller installer, DeviceReader reader)
{
    private readonly FrameTable _frames = rooms.Frames;

    /// <summary>
    /// Runs a load to its end. Never throws, is never cancelled: others may wait for it. Runs on the caller's thread up
    /// to the first wait, and entirely if <paramref name="blocking"/>.
    /// </summary>
    public async Task RunAsync(LoadOperation load, bool blocking)
    {
        if (IsOld(load))
        {
            Fail(load, error: null, superseded: true);
            return;
        }

        Exception? failure = null;
        try
        {
            if (load.Pieces is { } pieces)
            {
                await ReadPiecesAsync(load, pieces, blocking).ConfigureAwait(false);
            }
            else
            {
                await ReadRunAsync(load, blocking).ConfigureAwait(false);
            }
        }
        catch (Exception error)
        {
            failure = error;
        }

        if (failure is null)
        {
            Publish(load);
        }
        else
        {
            rooms.Counters.LoadFailures.Increment();
            Fail(load, failure, superseded: false);
        }
    }

    /// <summary>Reads a page into a frame of the reserve, for one caller.</summary>
    public async ValueTask ReadAroundAsync(
        FileMapping file, long page, PageSource source, Leaf leaf, int frame, bool blocking)
    {
        rooms.Counters.DevicePagesRead.Increment();
        var origin = new BlockOrigin(file.Extents, page << rooms.PageShift);
        if (source.Kind == PageSourceKind.Block)
        {
            var run = new BlockRun(source.Block << rooms.PageShift, rooms.PageSize);
            await reader.ReadAsync(file.Volume.Device, run, origin, [rooms.Arena.Memory(frame)], blocking).ConfigureAwait(false);
            VerifySeal(file.Volume, source.Block, source.Generation, rooms.Arena.Span(frame));
            return;
        }

        var start = Window.SlotOf(page) << rooms.PageShift;
        var pieces = new List<WindowRun>();
        foreach (var run in leaf.Runs)
        {
            if (run.End > start && run.Start < start + rooms.PageSize)
            {
                pieces.Add(run.Clip(start, start + rooms.PageSize));
            }
        }

        await ReadPiecesAsync(file, page, frame, [.. pieces], blocking).ConfigureAwait(false);
    }

    private async ValueTask ReadRunAsync(LoadOperation load, bool blocking)
    {
        var buffers = new Memory<byte>[load.Frames.Count];
        for (var i = 0; i < buffers.Length; i++)
        {
            buffers[i] = rooms.Arena.Memory(load.Frames[i].Frame);
        }

        var run = new BlockRun(load.Frames[0].Identity.Block << rooms.PageShift, (long)buffers.Length * rooms.PageSize);
        var origin = new BlockOrigin(load.File.Extents, load.FirstPage << rooms.PageShift);
        rooms.Counters.DevicePagesRead.Add(buffers.Length);
        await reader.ReadAsync(load.File.Volume.Device, run, origin, buffers, blocking).ConfigureAwait(false);
        for (var i = 0; i < buffers.Length; i++)
        {
            VerifySeal(load.File.Volume, load.Frames[i].Identity.Block, load.Frames[i].Identity.Generation, buffers[i].Span);
        }
    }

    /// <exception cref="IOException">The page is not what was sealed.</exception>
    private static void VerifySeal(VolumeMap volume, long block, uint generation, ReadOnlySpan<byte> page)
    {
        var physical = new PhysicalBlock(volume.Id, block, generation);
        if (volume.Seal is { } seal && !seal.Verify(physical, page))
        {
            throw new IOException($"{physical} fails its checksum.");
        }
    }

    private ValueTask ReadPiecesAsync(LoadOperation load, WindowRun[] pieces, bool blocking)
    {
        rooms.Counters.DevicePagesRead.Increment();
        return ReadPiecesAsync(load.File, load.FirstPage, load.Frames[0].Frame, pieces, blocking);
    }

    private async ValueTask ReadPiecesAsync(FileMapping file, long page, int frame, WindowRun[] pieces, bool blocking)
    {
        var bytes = rooms.Arena.Memory(frame);
        bytes.Span.Clear();
        var pageStart = page << rooms.PageShift;
        var start = Window.SlotOf(page) << rooms.PageShift;
        foreach (var piece in pieces)
        {
            var target = bytes.Slice(piece.Start - start, piece.Length);
            var origin = new BlockOrigin(file.Extents, pageStart + (piece.Start - start));
            await reader.ReadAsync(file.Volume.Device, piece.Blocks, origin, [target], blocking).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Whether blocks were discarded or moved, or the file's truth changed, since the leaf was made; or somebody writes the
    /// blocks, or they were reported bad.
    /// </summary>
    private bool IsOld(LoadOperation load)
    {
        var clock = load.File.Volume.Clock;
        if (load.File.Volume.IsDetached || !load.File.Holds(load.Cookie))
        {
            return true;
        }

        if (load.Pieces is { } pieces)
        {
            return !pieces.All(piece => load.File.Volume.MayRead(piece.Blocks))
                || pieces.Any(piece => !piece.IsOpaque && clock.HasChangedSince(load.Leaf.Age, piece, rooms.PageShift));
        }

        foreach (var loaded in load.Frames)
        {
            if (clock.HasChangedSince(load.Leaf.Age, loaded.Identity.Block) || !load.File.Volume.MayRead(load.File.Volume.RunOf(loaded.Identity.Block)))
            {
                return true;
            }
        }

        return false;
    }

    private void Publish(LoadOperation load)
    {
        foreach (var loaded in load.Frames)
        {
            rooms.Guard?.Freeze(loaded.Frame);

            // A discard that came meanwhile has ended the tenancy and taken the frame out of the table.
            if (_frames[loaded.Frame].State.TryPublish(loaded.Generation))
            {
                rooms.Reclaimer.Admit(
                    loaded.Frame, loaded.Generation, loaded.Identity.IsSome ? loaded.Identity.Hash : 0,
                    (load.Manner & LoadManner.Cold) != 0 ? Entry.Cold : Entry.Newcomer);
                if ((load.Manner & LoadManner.Kept) != 0)
                {
                    rooms.Reader.MarkKept(loaded.Frame);
                }
            }
        }

        installer.Install(load);
        Finish(load, error: null, superseded: false);
    }

    private void Fail(LoadOperation load, Exception? error, bool superseded)
    {
        foreach (var loaded in load.Frames)
        {
            if (_frames[loaded.Frame].State.TryFail(loaded.Generation))
            {
                rooms.Reclaimer.Unlist(loaded.Frame, loaded.Identity);
            }
        }

        Finish(load, error, superseded);
    }

    private void Finish(LoadOperation load, Exception? error, bool superseded)
    {
        foreach (var loaded in load.Frames)
        {
            loads.Remove(loaded.Frame);
        }

        if (load.Pieces is not null)
        {
            loads.Remove(load.Leaf, Window.SlotOf(load.FirstPage));
        }

        load.File.Volume.RemoveLoading(load.Frames.Count);
        load.Complete(error, superseded);
        foreach (var loaded in load.Frames)
        {
            if (_frames.Unpin(loaded.Frame))
            {
                rooms.Pool.Return(loaded.Frame);
            }
        }
    }
}
