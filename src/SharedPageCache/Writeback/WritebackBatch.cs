using System.Buffers;
using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Writeback;

/// <summary>
/// One write-back of some dirty pages of one volume: freeze, EnsureDurable, Place, write, flush, Publish. Persist follows,
/// outside.
/// </summary>
/// <remarks>
/// <para>
/// <b>One at a time.</b> A volume runs one batch at a time. So an older image of a page is bound, or given up, before a
/// newer one freezes: bindings happen in the order of the writes.
/// </para>
/// <para>
/// <b>Freeze</b> (binding lock): Dirty -> Writeback by compare-and-swap, which fails while a writer is inside; from then on
/// writes copy. The pin keeps the frame for the device. Who shows the image now is written down: a flush that was called
/// before must make it durable for them even if they overwrite it meanwhile.
/// </para>
/// <para>
/// <b>Place.</b> The runs that the engine gives are listed as the write-back's own, then what is cached or being loaded of
/// those blocks is dropped (in this order, see <see cref="PlacedBlocks"/>).
/// </para>
/// <para>
/// <b>Failure</b> of any step: what was placed is abandoned, the images are dirty again, nothing is marked clean.
/// </para>
/// </remarks>
/// <param name="volume">The volume.</param>
/// <param name="services">What a write-back needs.</param>
/// <param name="flushed">The file whose flush this is, if it is one of a file: it is told of failures in its own terms.</param>
/// <param name="tellsFiles">Whether failures are noted with the files, for nobody waits.</param>
internal sealed class WritebackBatch(VolumeMap volume, WritebackServices services, FileMapping? flushed, bool tellsFiles)
{
    /// <summary>The longest run that is placed and written as one.</summary>
    private const int LongestRun = 1 << 20;

    /// <summary>Device writes under way at a time.</summary>
    private const int QueueDepth = 8;

    private readonly FrameTable _frames = services.Frames;
    private readonly List<DirtyImage> _images = [];
    private readonly List<PlacedPiece> _pieces = [];
    private readonly List<CacheWritebackException> _failures = [];
    private readonly List<CacheWritebackException> _notTakenBack = [];
    private (string Step, Exception Error)? _refused;
    private long _filesClosed;

    /// <summary>
    /// Why pages have failed, and then what the engine did not take back: the flush throws the first, and that is to be the cause.
    /// Empty if all is well.
    /// </summary>
    public IEnumerable<CacheWritebackException> Failures => _failures.Concat(_notTakenBack);

    /// <summary>How many pages have become clean, or have turned out to be nobody's.</summary>
    public int Settled { get; private set; }

    /// <summary>Writes pages back. Never throws for the engine's or the device's failures.</summary>
    /// <param name="frames">Frames that were dirty a moment ago.</param>
    /// <param name="cancellationToken">Cancels the waits before the first device write.</param>
    /// <exception cref="OperationCanceledException">Cancelled; the pages are dirty as before.</exception>
    public async Task RunAsync(IReadOnlyList<int> frames, CancellationToken cancellationToken)
    {
        Freeze(frames);
        try
        {
            if (_images.Count > 0 && await TryPlaceAsync(cancellationToken).ConfigureAwait(false))
            {
                await WriteAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            End();
        }
    }

    private void Freeze(IReadOnlyList<int> frames)
    {
        var walk = services.Provisional.NewWalk();
        var order = new Dictionary<FileMapping, int>(ReferenceEqualityComparer.Instance);
        int OrderOf(FileMapping file)
        {
            if (!order.TryGetValue(file, out var place))
            {
                order.Add(file, place = order.Count);
            }

            return place;
        }

        volume.Binding.Enter();
        try
        {
            volume.Cuts.Begin();
            _filesClosed = volume.Ledger.FilesClosed;
            foreach (var frame in frames)
            {
                if (!volume.Dirty.TryGet(frame, out var seen) || !TryFreeze(frame, seen.Generation))
                {
                    continue;
                }

                // Asked again now that no writer can raise the log number any more.
                volume.Dirty.TryGet(frame, out var entry);

                var owners = walk.Find(frame, entry.Generation);
                if (owners.Count == 0)
                {
                    services.Provisional.Orphan(volume, frame, entry.Generation, duringWriteback: true);
                    services.Provisional.Unpin(frame);
                    Settled++;
                    continue;
                }

                owners.Sort((left, right) => (OrderOf(left.File), left.Page).CompareTo((OrderOf(right.File), right.Page)));
                var old = owners[0].Leaf.ResolveByRuns(Window.SlotOf(owners[0].Page), services.PageShift);
                _images.Add(new DirtyImage(frame, entry, owners, old.Kind == PageSourceKind.Block ? old.Block : -1));
            }
        }
        finally
        {
            volume.Binding.Exit();
        }

        _images.Sort((left, right) =>
            (OrderOf(left.Origin.File), left.Origin.Page).CompareTo((OrderOf(right.Origin.File), right.Origin.Page)));
    }

    /// <summary>Pins a dirty frame and freezes it; waits for a writer that is in the middle of a copy.</summary>
    private bool TryFreeze(int frame, int generation)
    {
        _frames.Pin(frame);
        Backoff backoff = default;
        while (!_frames[frame].State.TryFreeze(generation))
        {
            var state = _frames[frame].State.Load();
            if (state.Generation != generation || state.Phase != FramePhase.Dirty)
            {
                services.Provisional.Unpin(frame);
                return false;
            }

            backoff.Once();
        }

        services.Guard?.Freeze(frame);
        return true;
    }

    /// <summary>Asks the engine for places and makes them the write-back's own.</summary>
    private async Task<bool> TryPlaceAsync(CancellationToken cancellationToken)
    {
        var runs = Runs();
        var step = "EnsureDurable";
        try
        {
            var lsn = _images.Max(static image => image.Entry.Lsn);
            if (lsn != Lsn.None)
            {
                await CallAsync(nameof(IPlacementEngine.EnsureDurableAsync), port => port.EnsureDurableAsync(lsn, cancellationToken))
                    .ConfigureAwait(false);
            }

            step = "Place";
            var answer = new ArrayBufferWriter<PlacedRun>(runs.Count);
            await CallAsync(nameof(IPlacementEngine.PlaceAsync), port => port.PlaceAsync(DirtyRunsOf(runs), answer, cancellationToken))
                .ConfigureAwait(false);
            Accept(runs, answer.WrittenSpan);
        }
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            _refused = (step, error);
            return false;
        }

        foreach (var piece in _pieces)
        {
            services.Sink.DropBlocks(volume, piece.Run.Blocks);
        }

        return true;
    }

    private ValueTask CallAsync(string name, Func<IPlacementEngine, ValueTask> port) =>
        EngineCode.CallAsync(volume, 0, $"{nameof(IPlacementEngine)}.{name}", () => port(volume.Placement!));

    /// <summary>Takes the engine's places, all or none: what is wrong is given back.</summary>
    private void Accept(List<List<DirtyImage>> runs, ReadOnlySpan<PlacedRun> answer)
    {
        var isAccepted = false;
        try
        {
            var fault = PlacedPiece.Match(volume, runs, answer, services.PageSize, _pieces) ?? PlacedPiece.FaultOfTaking(volume, services.Shown, Placings());
            if (fault is not null)
            {
                throw new InvalidOperationException(fault);
            }

            isAccepted = true;
        }
        finally
        {
            // Also if the device could not say how long it is.
            if (!isAccepted)
            {
                _pieces.Clear();
                foreach (var placed in answer)
                {
                    Abandon(placed.Blocks);
                }
            }
        }
    }

    private List<ShownBlocks.Placing> Placings() =>
        _pieces.ConvertAll(piece => new ShownBlocks.Placing(piece.Run, Publication.RunOwnersOf(piece.Images[0].Owners, services.PageShift)));

    private async Task WriteAsync()
    {
        using var turns = new Permits(QueueDepth);
        await Task.WhenAll(Writes().Select(pieces => WriteAsync(pieces, turns))).ConfigureAwait(false);
        if (_pieces.All(static piece => piece.Error is not null))
        {
            return;
        }

        try
        {
            await EngineCode.CallAsync(volume, 0, "IBlockDevice.FlushAsync", () => volume.Device.FlushAsync(CancellationToken.None))
                .ConfigureAwait(false);
        }
        catch (Exception error)
        {
            // What the device has of any of them is not known.
            _pieces.ForEach(piece => piece.FailIfGood("flush", error));
        }
    }

    /// <summary>
    /// What is written in one call: pieces that follow each other on the device and in the file that they are written for.
    /// In the order of the blocks.
    /// </summary>
    private List<List<PlacedPiece>> Writes()
    {
        var writes = new List<List<PlacedPiece>>();
        long length = 0;
        foreach (var piece in _pieces.OrderBy(static piece => piece.Run.Blocks.Offset))
        {
            length += piece.Run.Blocks.Length;
            if (writes.Count == 0 || length > LongestRun || !piece.Follows(writes[^1][^1]))
            {
                writes.Add([]);
                length = piece.Run.Blocks.Length;
            }

            writes[^1].Add(piece);
        }

        return writes;
    }

    private async Task WriteAsync(List<PlacedPiece> pieces, Permits turns)
    {
        await turns.TakeAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            var first = pieces[0];
            var pages = pieces.SelectMany(static piece => piece.Images)
                .Select(image => (ReadOnlyMemory<byte>)services.Arena.Memory(image.Frame)).ToArray();
            var run = new PlacedRun(
                new BlockRun(first.Run.Blocks.Offset, (long)pages.Length << services.PageShift), first.Run.Generation);
            var (file, page, _) = first.Images[0].Origin;
            var origin = new BlockOrigin(file.Extents, page << services.PageShift);
            await EngineCode.CallAsync(
                volume, 0, "IBlockDevice.WriteAsync", () => new ValueTask(services.Writer.WriteAsync(volume, run, origin, pages)))
                .ConfigureAwait(false);
        }
        catch (Exception error)
        {
            pieces.ForEach(piece => piece.FailIfGood("write", error));
        }
        finally
        {
            turns.Give();
        }
    }

    /// <summary>Binds what was written, gives back what was not, and lets go of everything.</summary>
    private void End()
    {
        _images.ForEach(image => services.Guard?.Check(image.Frame, "when its write-back ended"));
        var publication = new Publication(volume, services, _images);
        volume.Binding.Enter();
        try
        {
            foreach (var piece in _pieces)
            {
                if (piece.Error is null)
                {
                    publication.Publish(piece);
                }
                else
                {
                    Abandon(piece.Run.Blocks);
                }
            }

            if (_refused is { } refused && _images.Count > 0)
            {
                Fail(_images, refused.Step, refused.Error, publication);
            }

            foreach (var (images, step, error) in publication.Failures)
            {
                Fail(images, step, error, publication);
            }

            foreach (var piece in _pieces.Where(static piece => piece.Error is not null))
            {
                Fail(piece.Images, piece.FailedStep, piece.Error!, publication);
            }

            foreach (var image in _images)
            {
                Settled += publication.Release(image) ? 1 : 0;
            }

            volume.Placed.Clear();
            volume.Cuts.End();
        }
        finally
        {
            volume.Binding.Exit();
        }

        foreach (var image in _images)
        {
            services.Provisional.Unpin(image.Frame);
        }

        // The images named files and leaves: what was closed meanwhile, and who was closed after he wrote a page, is garbage only now.
        var closed = volume.Ledger.FilesClosed - _filesClosed + _images.Count(static image => image.Entry.File.IsClosed);
        _images.Clear();
        _pieces.Clear();
        volume.Ledger.FilesReleased(closed);

        services.Counters.Activity.Increment();
    }

    /// <summary>
    /// Notes a failure. One in the background is noted with every file that shows the pages, under the binding lock: a clone
    /// is made before, and is one of them, or after, and inherits what its origin was not told. Each is told of its own pages: it
    /// may not even know the other files.
    /// </summary>
    private void Fail(IReadOnlyList<DirtyImage> images, string step, Exception error, Publication publication)
    {
        services.Counters.PagesFailed.Add(images.Count);
        var owners = images.SelectMany(publication.OwnersOf).ToLookup(static owner => owner.File);
        var told = flushed is not null && owners.Contains(flushed) ? flushed : images[0].Origin.File;
        _failures.Add(owners.Contains(told) ? FailureOf(owners[told]) : FailureOf(images.Select(static image => image.Origin)));
        if (tellsFiles)
        {
            foreach (var shown in owners)
            {
                shown.Key.Writing.Report(FailureOf(shown));
            }
        }

        CacheWritebackException FailureOf(IEnumerable<Owner> shown)
        {
            var (file, page) = shown.Select(static owner => (owner.File, owner.Page)).MinBy(static owner => owner.Page);
            return new CacheWritebackException(
                file.Id, file.Name, page << services.PageShift, (long)images.Count << services.PageShift, step, error.Message, error);
        }
    }

    private void Abandon(BlockRun run)
    {
        try
        {
            using (EngineCode.Enter($"{nameof(IPlacementEngine)}.{nameof(IPlacementEngine.Abandon)}"))
            {
                volume.Placement!.Abandon(run);
            }
        }
        catch (Exception error)
        {
            _notTakenBack.Add(new CacheWritebackException(FileId.None, null, -1, run.Length, "Abandon", $"the engine refused {run} back: {error.Message}", error));
        }
    }

    /// <summary>Images that follow each other in the same files, over old blocks that follow each other.</summary>
    private List<List<DirtyImage>> Runs()
    {
        var runs = new List<List<DirtyImage>>();
        foreach (var image in _images)
        {
            if (runs.Count > 0 && runs[^1] is var run && run.Count < Math.Max(1, LongestRun >> services.PageShift)
                && DirtyImage.Continues(run[^1].Owners, image.Owners)
                && (run[^1].Replaces < 0 ? image.Replaces < 0 : image.Replaces == run[^1].Replaces + 1))
            {
                run.Add(image);
            }
            else
            {
                var next = new List<DirtyImage> { image };
                runs.Add(next);
            }
        }

        return runs;
    }

    private DirtyRun[] DirtyRunsOf(List<List<DirtyImage>> runs) =>
        [.. runs.Select(run =>
        {
            var length = (long)run.Count << services.PageShift;
            var replaces = run[0].Replaces < 0 ? BlockRun.None : new BlockRun(run[0].Replaces << services.PageShift, length);
            return new DirtyRun(length, replaces, Publication.RunOwnersOf(run[0].Owners, services.PageShift));
        })];
}
