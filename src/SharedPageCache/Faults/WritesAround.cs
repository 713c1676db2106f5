using System.Buffers;
using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;
using SharedPageCache.Memory;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>
/// Writes that go to the device at once and leave nothing in the cache: whole pages of one file, through the same ports and
/// in the same order as a write-back.
/// </summary>
/// <remarks>
/// <para>
/// A piece holds the marks of its pages, so no other write of the file touches them, and the volume's turn, so no batch is
/// under way. EnsureDurable, Place, device write and device flush follow; what is placed is listed, as for a batch, so nothing is
/// read from blocks that are being written. Until then all readers see the old pages.
/// </para>
/// <para>
/// <b>Publish</b> is one step inside the gate, alone, and under the binding lock: the engine binds, the file forgets the windows
/// (it copies its path, so what is installed late reaches nobody), and dirty pages of the range lose this owner. A
/// publication of blocks and of a tree that knows nothing of them: the next reader asks the engine.
/// </para>
/// <para>
/// <b>Again.</b> If the file's truth changed since the engine has placed the piece (its edition), or more of it became shared than the engine was told, what
/// was placed is given back and the piece begins anew.
/// </para>
/// <para>
/// <b>In place.</b> An engine may place a piece where it lies. Nothing is written there from here: a clone that is made before
/// the bytes are on the device shows the same blocks, and must not see them change, and a clone waits for nothing. What was placed is given
/// back, and the piece is written through the cache and flushed: then a clone shows the dirty pages, and is an owner of what is written in
/// place.
/// </para>
/// </remarks>
internal sealed class WritesAround(
    Rooms rooms, PageFaults faults, PageWrites writes, ProvisionalFrames provisional, DeviceWriter writer, IFrameSink sink, ShownBlocks shown)
{
    private const int LongestPiece = 1 << 20;

    /// <summary>Writes whole pages, and perhaps the last page of the file in part.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The file has become shorter than the range.</exception>
    /// <exception cref="CacheWritebackException">A step has failed; pieces before it are written.</exception>
    public async ValueTask WriteAsync(
        FileMapping file, long offset, ReadOnlyMemory<byte> bytes, Lsn lsn, CancellationToken cancellationToken)
    {
        var refused = new List<CacheWritebackException>();
        var bounce = new AlignedBuffer((int)Math.Min(LongestPiece, bytes.Length + rooms.PageSize - 1L & ~(rooms.PageSize - 1L)));
        for (var done = 0; done < bytes.Length;)
        {
            var length = Math.Min(bytes.Length - done, bounce.Memory.Length & ~(rooms.PageSize - 1));
            var piece = new Piece(file, offset + done, length, rooms.PageShift, refused);
            bytes.Slice(done, piece.Length).CopyTo(bounce.Memory);
            bounce.Memory.Span[piece.Length..].Clear();
            await WritePieceAsync(piece, bounce.Memory, lsn, cancellationToken).ConfigureAwait(false);
            done += piece.Length;
        }

        // What was published is made durable, as by a flush.
        var failures = await ((VolumeWriter)file.Volume.Writer!).FlushAsync(static () => [], cancellationToken).ConfigureAwait(false);
        failures.AddRange(refused);
        if (failures.Count > 0)
        {
            throw failures[0];
        }
    }

    private enum Outcome
    {
        Done,

        /// <summary>The file has changed meanwhile.</summary>
        Again,

        /// <summary>The engine wants the pages where they are.</summary>
        InPlace,
    }

    private async Task WritePieceAsync(Piece piece, ReadOnlyMemory<byte> bytes, Lsn lsn, CancellationToken cancellationToken)
    {
        if (await TryPieceAsync(piece, bytes, lsn, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        await writes.WriteAsync(piece.File, piece.Offset, bytes[..piece.Length], lsn, cancellationToken).ConfigureAwait(false);
        var failures = await ((VolumeWriter)piece.File.Volume.Writer!).FlushAsync(
            () => TreeSurgery.ProvisionalsOf(piece.File.Tree, piece.FirstPage, piece.LastPage).ConvertAll(static dirty => dirty.Reference),
            cancellationToken, file: piece.File).ConfigureAwait(false);
        if (failures.Count > 0)
        {
            throw failures[0];
        }
    }

    /// <returns>False if the engine places the piece where it lies.</returns>
    private async Task<bool> TryPieceAsync(Piece piece, ReadOnlyMemory<byte> bytes, Lsn lsn, CancellationToken cancellationToken)
    {
        var marked = piece.FirstPage;
        try
        {
            for (; marked <= piece.LastPage; marked++)
            {
                while (!piece.File.Writing.Marks.TryMark(marked))
                {
                    PageWrites.ThrowIfWaitsForItself(piece.File, marked);
                    await piece.File.Writing.Marks.WaitAsync(cancellationToken).ConfigureAwait(false);
                }
            }

            Outcome outcome;
            while ((outcome = await TryWriteAsync(piece, bytes, lsn, cancellationToken).ConfigureAwait(false)) == Outcome.Again)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            return outcome == Outcome.Done;
        }
        finally
        {
            while (marked > piece.FirstPage)
            {
                piece.File.Writing.Marks.Unmark(--marked);
            }
        }
    }

    private async Task<Outcome> TryWriteAsync(Piece piece, ReadOnlyMemory<byte> bytes, Lsn lsn, CancellationToken cancellationToken)
    {
        var file = piece.File;
        file.ThrowIfUnwritable();
        var sharing = file.Sharing;
        if (!Fits(piece))
        {
            throw new ArgumentOutOfRangeException(
                nameof(piece), piece.Offset + piece.Length, $"the file has {file.Tree.Length} bytes by now, and the write ends neither with it nor with a page.");
        }

        await FindLeavesAsync(piece, cancellationToken).ConfigureAwait(false);
        if (IsShared(piece))
        {
            await EngineCode.CallAsync(
                (asked, place) => asked == file && place >= piece.FirstPage && place <= piece.LastPage, $"{nameof(IWritableExtentMap)}.{nameof(IWritableExtentMap.BeforeUnshareAsync)}",
                () => ((IWritableExtentMap)file.Extents).BeforeUnshareAsync(piece.Offset, piece.PaddedLength, cancellationToken)).ConfigureAwait(false);
        }

        var outcome = Outcome.Again;
        await ((VolumeWriter)file.Volume.Writer!).InTurnAsync(
            async () =>
            {
                if (await PlaceAsync(piece, lsn, cancellationToken).ConfigureAwait(false) is not { } placed)
                {
                    outcome = Outcome.InPlace;
                    return;
                }

                var published = 0;
                try
                {
                    // Not before: an engine may say of the file, while it places, that it lies elsewhere by now.
                    var moment = (file.Edition, sharing);
                    if (Fits(piece))
                    {
                        await WriteAsync(piece, placed, bytes).ConfigureAwait(false);
                        outcome = TryPublish(piece, placed, moment, ref published) ? Outcome.Done : Outcome.Again;
                    }
                }
                finally
                {
                    Abandon(piece, placed.AsSpan(published));
                    file.Volume.Placed.Clear();
                    rooms.Writeback.Activity.Increment();
                }
            },
            cancellationToken).ConfigureAwait(false);
        return outcome;
    }

    /// <summary>
    /// Whether the piece lies in the file and ends with it or with a page. With the mark of its last page nobody makes the file longer: a
    /// part of a page is written with zeros behind it.
    /// </summary>
    private bool Fits(Piece piece)
    {
        var (end, length) = (piece.Offset + piece.Length, piece.File.Tree.Length);
        return end == length || (end < length && end << 64 - rooms.PageShift == 0);
    }

    private async ValueTask FindLeavesAsync(Piece piece, CancellationToken cancellationToken)
    {
        for (var window = Window.Of(piece.FirstPage); window <= Window.Of(piece.LastPage); window++)
        {
            await faults.FindLeafAsync(
                piece.File, Math.Max(piece.FirstPage, window << Window.Shift), blocking: false, cancellationToken).ConfigureAwait(false);
        }
    }

    private static bool IsShared(Piece piece)
    {
        for (var page = piece.FirstPage; page <= piece.LastPage; page++)
        {
            if (piece.File.Tree.FindLeaf(Window.Of(page)) is { } leaf && piece.File.IsShared(leaf, Window.SlotOf(page)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Asks the engine for places and makes them the write's own.</summary>
    /// <returns>Null if the engine has placed a page of the piece where it lies; nothing is the write's own then.</returns>
    private async Task<PlacedRun[]?> PlaceAsync(Piece piece, Lsn lsn, CancellationToken cancellationToken)
    {
        var volume = piece.File.Volume;
        if (lsn != Lsn.None)
        {
            await StepAsync(piece, "EnsureDurable", () => volume.Placement!.EnsureDurableAsync(lsn, cancellationToken).AsTask(), cancellationToken)
                .ConfigureAwait(false);
        }

        var answer = new ArrayBufferWriter<PlacedRun>(1);
        var isInPlace = false;
        await StepAsync(
            piece, "Place",
            async () =>
            {
                var dirty = new DirtyRun(piece.PaddedLength, Replaced(piece), new[] { new RunOwner(piece.File.Extents, piece.Offset) });
                await volume.Placement!.PlaceAsync(new[] { dirty }, answer, cancellationToken).ConfigureAwait(false);
                var fault = PlacedPiece.FaultOf(volume, [piece.PaddedLength], answer.WrittenSpan, rooms.PageSize);
                isInPlace = fault is null && IsInPlace(piece, answer.WrittenSpan);
                fault ??= isInPlace ? null : PlacedPiece.FaultOfTaking(volume, shown, PlacingsOf(piece, answer.WrittenSpan));
                if (fault is not null || isInPlace)
                {
                    Abandon(piece, answer.WrittenSpan);
                }

                if (fault is not null)
                {
                    throw new InvalidOperationException(fault);
                }
            },
            cancellationToken).ConfigureAwait(false);
        if (isInPlace)
        {
            return null;
        }

        foreach (var run in answer.WrittenSpan)
        {
            sink.DropBlocks(volume, run.Blocks);
        }

        return answer.WrittenSpan.ToArray();
    }

    /// <summary>Whether a page of the piece was placed in a block that the piece lies in.</summary>
    private bool IsInPlace(Piece piece, ReadOnlySpan<PlacedRun> placed)
    {
        for (var page = piece.FirstPage; page <= piece.LastPage; page++)
        {
            if (BlockOf(piece.File, page) is >= 0 and var block)
            {
                var blocks = piece.File.Volume.RunOf(block);
                foreach (var run in placed)
                {
                    if (run.Blocks.Overlaps(blocks))
                    {
                        return true;
                    }
                }
            }
        }

        return false;
    }

    private static List<ShownBlocks.Placing> PlacingsOf(Piece piece, ReadOnlySpan<PlacedRun> placed)
    {
        var placings = new List<ShownBlocks.Placing>(placed.Length);
        var offset = piece.Offset;
        foreach (var run in placed)
        {
            placings.Add(new ShownBlocks.Placing(run, [new RunOwner(piece.File.Extents, offset)]));
            offset += run.Blocks.Length;
        }

        return placings;
    }

    /// <summary>The blocks that hold the older content, if they are one run.</summary>
    private BlockRun Replaced(Piece piece)
    {
        var first = BlockOf(piece.File, piece.FirstPage);
        for (var page = piece.FirstPage; page <= piece.LastPage; page++)
        {
            if (first < 0 || BlockOf(piece.File, page) != first + (page - piece.FirstPage))
            {
                return BlockRun.None;
            }
        }

        return new BlockRun(first << rooms.PageShift, piece.PaddedLength);
    }

    private long BlockOf(FileMapping file, long page) =>
        file.Tree.FindLeaf(Window.Of(page))?.ResolveByRuns(Window.SlotOf(page), rooms.PageShift) is { Kind: PageSourceKind.Block } source
            ? source.Block
            : -1;

    private async Task WriteAsync(Piece piece, PlacedRun[] placed, ReadOnlyMemory<byte> bytes)
    {
        var volume = piece.File.Volume;
        await StepAsync(
            piece, "write",
            async () =>
            {
                var done = 0;
                foreach (var run in placed)
                {
                    var pages = new ReadOnlyMemory<byte>[(int)(run.Blocks.Length >> rooms.PageShift)];
                    for (var i = 0; i < pages.Length; i++)
                    {
                        pages[i] = bytes.Slice(done + (i << rooms.PageShift), rooms.PageSize);
                    }

                    await writer.WriteAsync(volume, run, new BlockOrigin(piece.File.Extents, piece.Offset + done), pages).ConfigureAwait(false);
                    done += (int)run.Blocks.Length;
                }
            },
            CancellationToken.None).ConfigureAwait(false);
        await StepAsync(piece, "flush", () => volume.Device.FlushAsync(CancellationToken.None).AsTask(), CancellationToken.None)
            .ConfigureAwait(false);
    }

    /// <summary>Binds what was written, unless the file is not what it was when the places were asked for.</summary>
    private bool TryPublish(Piece piece, PlacedRun[] placed, (long Edition, SharingMoment Sharing) moment, ref int published)
    {
        var (file, volume) = (piece.File, piece.File.Volume);
        var lost = new List<PageReference>();
        file.EnterAlone();
        volume.Binding.Enter();
        try
        {
            file.ThrowIfUnwritable();
            if ((file.Edition, file.Sharing) != moment)
            {
                return false;
            }

            var offset = piece.Offset;
            foreach (var run in placed)
            {
                try
                {
                    file.RunHook(
                        _ => volume.Placement!.Publish(run.Blocks, [new RunOwner(file.Extents, offset)]),
                        nameof(IPlacementEngine.Publish), nameof(IPlacementEngine));
                }
                catch (Exception error)
                {
                    throw Failure(piece, "Publish", error);
                }

                published++;
                volume.Bad.Remove(run.Blocks);
                file.Withdraw(offset >> rooms.PageShift, offset + run.Blocks.Length - 1 >> rooms.PageShift, lost);
                offset += run.Blocks.Length;
            }

            return true;
        }
        finally
        {
            var walk = provisional.NewWalk();
            foreach (var reference in lost)
            {
                provisional.Lost(volume, reference, walk, file.Stamp);
            }

            volume.Binding.Exit();
            file.LeaveAlone();
        }
    }

    private static void Abandon(Piece piece, ReadOnlySpan<PlacedRun> placed)
    {
        foreach (var run in placed)
        {
            var volume = piece.File.Volume;
            volume.Binding.Enter();
            try
            {
                using (EngineCode.Enter($"{nameof(IPlacementEngine)}.{nameof(IPlacementEngine.Abandon)}"))
                {
                    volume.Placement!.Abandon(run.Blocks);
                }
            }
            catch (Exception error)
            {
                // Told in the end, if nothing else is.
                piece.Refused.Add(new CacheWritebackException(
                    FileId.None, null, -1, run.Blocks.Length, "Abandon", $"the engine refused {run.Blocks} back: {error.Message}", error));
            }
            finally
            {
                volume.Binding.Exit();
            }
        }
    }

    private static async Task StepAsync(Piece piece, string step, Func<Task> act, CancellationToken cancellationToken)
    {
        try
        {
            await EngineCode.CallAsync(piece.File.Volume, 0, step, () => new ValueTask(act())).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw Failure(piece, step, error);
        }
    }

    private static CacheWritebackException Failure(Piece piece, string step, Exception error) =>
        new(piece.File.Id, piece.File.Name, piece.Offset, piece.Length, step, error.Message, error);

    /// <summary>Some pages in a row of one file, and what the engine refused back on the way.</summary>
    private readonly record struct Piece(FileMapping File, long Offset, int Length, int PageShift, List<CacheWritebackException> Refused)
    {
        public long FirstPage => Offset >> PageShift;

        public long LastPage => Offset + Length - 1 >> PageShift;

        public long PaddedLength => LastPage - FirstPage + 1 << PageShift;
    }
}
