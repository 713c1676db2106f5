using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// The read fault: makes a page readable for one caller, by whatever it takes.
/// </summary>
/// <remarks>
/// <para>
/// In turn: found in memory (a minor fault, or a load under way that is waited for); else a load through this file, with
/// its neighbours; else, when no frame can be had, a read around the cache into a frame of the reserve, so that a full
/// cache fails no read. Nothing is held while the engine or the device is waited for, except pins of the frames that are
/// being loaded and a permit of the reserve, both of which come back by themselves.
/// </para>
/// <para>Blocking and awaiting callers share this one path; a blocking caller's waits complete before they return.</para>
/// </remarks>
internal sealed partial class PageFaults
{
    private readonly Rooms _rooms;
    private readonly LeafFinder _finder;
    private readonly MinorFaults _minor;
    private readonly LoadStarter _starter;
    private readonly LoadRunner _runner;
    private readonly ReserveFrames _reserve;
    private readonly int _maxReadAhead;

    public PageFaults(Rooms rooms, int maxReadAhead)
    {
        _rooms = rooms;
        _maxReadAhead = maxReadAhead;
        var loads = new LoadTable();
        var installer = new PageInstaller(rooms.Frames, rooms.Rmap, rooms.TouchedFrames, rooms.Ledger, rooms.PageShift);
        _finder = new LeafFinder(rooms.Families, rooms.Ledger);
        _minor = new MinorFaults(rooms, installer, loads);
        _starter = new LoadStarter(rooms, loads);
        _runner = new LoadRunner(rooms, loads, installer, new DeviceReader(rooms.Counters));
        _reserve = new ReserveFrames(rooms);
    }

    /// <summary>A request for a page.</summary>
    /// <param name="File">The file.</param>
    /// <param name="Page">The page, inside the file.</param>
    /// <param name="Wanted">How many pages from there on the caller is going to read.</param>
    /// <param name="Blocking">Whether to block the thread instead of awaiting.</param>
    /// <param name="NeedsFrame">Whether a read around the cache will not do (leases).</param>
    /// <param name="Manner">What the caller has said about the pages.</param>
    public readonly record struct Request(
        FileMapping File, long Page, int Wanted, bool Blocking, bool NeedsFrame = false, LoadManner Manner = LoadManner.Plain);

    /// <summary>The part of a fault that needs no wait; false if there is more to do.</summary>
    public bool TryFaultMinor(FileMapping file, long page, out PageHold hold)
    {
        var result = _minor.Find(file, page);
        hold = result.Hold;
        if (result.Outcome == MinorFaults.Outcome.Held)
        {
            return true;
        }

        if (result.Outcome == MinorFaults.Outcome.Loading)
        {
            _minor.Unpin(hold.Frame);
        }

        hold = default;
        return false;
    }

    /// <summary>Makes a page readable on the calling thread.</summary>
    /// <inheritdoc cref="FaultAsync"/>
    public PageHold Fault(Request request)
    {
        // A blocking fault has completed when it returns; the task is for an engine's map that answers later.
        var fault = FaultAsync(request with { Blocking = true }, CancellationToken.None);
        return fault.IsCompleted ? fault.Result : fault.AsTask().GetAwaiter().GetResult();
    }

    /// <summary>How often a read asks again whose device failed while the file's extents moved.</summary>
    private const int MostMoves = 4;

    /// <summary>Makes a page readable.</summary>
    /// <returns>A hold, or <see cref="PageHold.None"/> if a frame is needed and none was to be had.</returns>
    /// <exception cref="PageLoadException">The device failed.</exception>
    /// <exception cref="ExtentMapException">The engine failed.</exception>
    public async ValueTask<PageHold> FaultAsync(Request request, CancellationToken cancellationToken)
    {
        var (file, page, wanted, blocking, needsFrame, manner) = request;
        var failures = 0;
        Backoff backoff = default;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            file.ThrowIfClosed();
            var result = _minor.Find(file, page);
            switch (result.Outcome)
            {
                case MinorFaults.Outcome.Held:
                    return result.Hold;
                case MinorFaults.Outcome.Busy:
                    backoff.Once();
                    continue;
                case MinorFaults.Outcome.Loading:
                    _rooms.Counters.LoadsCoalesced.Increment();
                    if (await WaitAsync(request, result.Load!, result.Hold, result.Generation, failures, cancellationToken)
                        .ConfigureAwait(false))
                    {
                        return Missed(result.Hold, result.Load!.PagesFrom(result.Hold.Frame), isOwnLoad: false);
                    }

                    failures += result.Load!.Error is null ? 0 : 1;
                    continue;
            }

            if (!LeafFinder.TryFind(file, page, out var found))
            {
                if (await _finder.FindAsync(file, page, blocking, cancellationToken).ConfigureAwait(false) is not { } made)
                {
                    continue;
                }

                found = made;
                Maintain();
            }

            var source = found.Leaf.Resolve(Window.SlotOf(page), _rooms.PageShift);
            if (source.Kind == PageSourceKind.Zero || found.Leaf[Window.SlotOf(page)].IsResident)
            {
                continue;
            }

            switch (StateOf(file, page, found.Leaf, source, out var bad))
            {
                case BlockState.Bad:
                    throw BadBlockError(request, bad);
                case BlockState.BeingWritten when blocking:
                    backoff.Once();
                    continue;
                case BlockState.BeingWritten:
                    await file.Volume.Placed.WaitAsync(cancellationToken).ConfigureAwait(false);
                    continue;
            }

            if (source.Kind == PageSourceKind.Composite && !file.MayLoadThrough(found.Leaf, found.Cookie))
            {
                file.Leave(Window.Of(page), found.Leaf);
                continue;
            }

            var pages = failures > 0 ? 1 : wanted + PlanReadAhead(file, page, wanted, manner);
            var outcome = source.Kind == PageSourceKind.Block
                ? _starter.TryStart(file, page, found, source, pages, manner, out var load)
                : _starter.TryStartComposite(file, page, found, manner, out load);
            switch (outcome)
            {
                case LoadStarter.Outcome.Lost:
                    backoff.Once();
                    continue;
                case LoadStarter.Outcome.NoFrame when needsFrame:
                    Maintain();
                    return PageHold.None;
                case LoadStarter.Outcome.NoFrame:
                    Maintain();
                    var around = await ReadAroundAsync(request, found, source, failures, cancellationToken).ConfigureAwait(false);
                    if (around.Kind != PageHoldKind.None)
                    {
                        return Missed(around, pages: 1, isOwnLoad: true);
                    }

                    failures++;
                    continue;
            }

            _rooms.Counters.MajorFaults.Increment();
            NoteReadAhead(file, page, wanted, load!.Frames.Count);
            _rooms.Counters.PagesReadAhead.Add(Math.Max(0, load.Frames.Count - wanted));
            var first = load.Frames[0];
            var hold = new PageHold(PageHoldKind.Pinned, first.Frame);
            var loaded = load.Frames.Count;
            var run = _runner.RunAsync(load, blocking);
            if (!blocking && !run.IsCompleted)
            {
                loaded += StartFollowing(file, page + loaded, wanted - loaded, manner);
            }

            if (await WaitAsync(request, load, hold, first.Generation, failures, cancellationToken).ConfigureAwait(false))
            {
                return Missed(hold, loaded, isOwnLoad: true);
            }

            failures += load.Error is null ? 0 : 1;
        }
    }

    /// <summary>Asks the engine where a page is, unless that is known, or the file has become shorter.</summary>
    public async ValueTask FindLeafAsync(FileMapping file, long page, bool blocking, CancellationToken cancellationToken)
    {
        await _finder.FindAsync(file, page, blocking, cancellationToken).ConfigureAwait(false);
        Maintain();
    }

    /// <summary>
    /// Starts loads for a range and waits until they have ended; errors are left to who reads the pages. Ends when it has
    /// come by as many pages as the cache has frames, since more would only evict these, or by as many windows of holes.
    /// </summary>
    public async ValueTask PrefetchAsync(
        FileMapping file, long firstPage, long lastPage, LoadManner manner, CancellationToken cancellationToken)
    {
        var running = new List<LoadOperation>(MostParallelLoads);
        var left = _rooms.Plan.FrameCount - _rooms.Plan.Reserve;
        for (var page = firstPage; page <= lastPage && left > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            file.ThrowIfClosed();
            if (!LeafFinder.TryFind(file, page, out var found))
            {
                if (await _finder.FindAsync(file, page, blocking: false, cancellationToken).ConfigureAwait(false) is not { } made)
                {
                    break;
                }

                found = made;
                Maintain();
            }

            var mapped = NextMapped(found.Leaf, page);
            if (mapped > page)
            {
                left -= Window.Of(mapped) > Window.Of(page) ? 1 : 0;
                page = mapped;
                continue;
            }

            if (!TryStartMissing(file, page, found, (int)Math.Min(lastPage - page + 1, left), manner, out var load))
            {
                page++;
                left--;
                continue;
            }

            page += load.Frames.Count;
            left -= load.Frames.Count;
            running.Add(load);
            if (running.Count == MostParallelLoads)
            {
                await running[0].WaitAsync(blocking: false, cancellationToken).ConfigureAwait(false);
                running.RemoveAt(0);
            }
        }

        foreach (var load in running)
        {
            await load.WaitAsync(blocking: false, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Gives a pin back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Unpin(int frame) => _minor.Unpin(frame);

    /// <summary>Gives a hold back.</summary>
    public void Release(PageHold hold)
    {
        switch (hold.Kind)
        {
            case PageHoldKind.Pinned:
                _minor.Unpin(hold.Frame);
                break;
            case PageHoldKind.Around:
                _reserve.Give(hold.Frame);
                break;
        }
    }

    /// <summary>Pins the page that a reference shows, if it is resident now.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPin(PageReference reference, out PageHold hold) => _minor.TryPin(reference, out hold);

    private const int MostParallelLoads = 8;

    private PageHold Missed(PageHold hold, int pages, bool isOwnLoad)
    {
        _rooms.Counters.Misses.Increment();
        return hold with { Loaded = pages, IsOwnLoad = isOwnLoad };
    }

    private async ValueTask<bool> WaitAsync(
        Request request, LoadOperation load, PageHold hold, int generation, int failures, CancellationToken cancellationToken)
    {
        try
        {
            await load.WaitAsync(request.Blocking, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The load goes on for the others; only this caller lets go of the page.
            _minor.Unpin(hold.Frame);
            throw;
        }

        try
        {
            if (load.Error is null && _minor.TryUseLoaded(request.File, request.Page, load, hold.Frame, generation))
            {
                return true;
            }
        }
        catch (ExtentMapException)
        {
            // The engine cannot even say its sequence.
            _minor.Unpin(hold.Frame);
            throw;
        }

        _minor.Unpin(hold.Frame);

        // A load of several pages that failed says nothing about this one, which is then tried again alone; one whose file
        // was closed or moved meanwhile says nothing about another file, and not much about its own.
        if (load.Error is { } error && load.Frames.Count == 1
            && !(load.OriginIsGone && (load.File != request.File || failures < MostMoves)))
        {
            throw ErrorFor(request, error);
        }

        if (load.Error is not null && load.File == request.File)
        {
            LeaveIfMoving(request, load.Leaf);
        }

        return false;
    }

    /// <summary>
    /// An engine that changes extents moves the sequence first and tells the cache last. Who fails to read in between by what it
    /// knew before asks again: the device may not have the old blocks for this file any more.
    /// </summary>
    private static void LeaveIfMoving(Request request, Leaf leaf)
    {
        if (!request.File.IsTold)
        {
            request.File.Leave(Window.Of(request.Page), leaf);
        }
    }

    private static PageLoadException ErrorFor(Request request, Exception error)
    {
        var (file, page) = (request.File, request.Page);
        var shift = file.Volume.PageShift;
        var blocks = BlockRun.None;
        file.Account.LoadFailures.Increment();
        if (file.Tree.FindLeaf(Window.Of(page)) is { } leaf
            && leaf.Resolve(Window.SlotOf(page), shift) is { Kind: PageSourceKind.Block } source)
        {
            blocks = new BlockRun(source.Block << shift, file.Volume.PageSize);
        }

        return new PageLoadException(file.Id, file.Name, page << shift, blocks, error.Message, error);
    }

    /// <summary>
    /// Reads the page into a frame of the reserve; none if it was no longer the file's truth afterwards, or if that is why
    /// the read failed.
    /// </summary>
    private async ValueTask<PageHold> ReadAroundAsync(
        Request request, LeafFinder.Found found, PageSource source, int failures, CancellationToken cancellationToken)
    {
        var (file, page) = (request.File, request.Page);
        var frame = await _reserve.TakeAsync(file, request.Blocking, cancellationToken).ConfigureAwait(false);
        if (file.Volume.Placed.TryEnter(BlocksOf(file, page, found.Leaf, source)) is not { } entered)
        {
            _reserve.Give(frame);
            return PageHold.None;
        }

        var read = _runner.ReadAroundAsync(file, page, source, found.Leaf, frame, request.Blocking).AsTask();
        try
        {
            await read.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The frame stays the device's until the read has ended, which it may just have done.
            file.Volume.Placed.Leave(entered);
            _ = GiveAfterAsync(read, frame);
            throw;
        }
        catch (Exception error)
        {
            file.Volume.Placed.Leave(entered);
            _reserve.Give(frame);
            _rooms.Counters.LoadFailures.Increment();
            if (failures < MostMoves && (!file.Holds(found.Cookie) || !file.IsTold))
            {
                LeaveIfMoving(request, found.Leaf);
                return PageHold.None;
            }

            throw ErrorFor(request, error);
        }

        _rooms.Counters.ReadsAround.Increment();
        if (file.Volume.Placed.Leave(entered) && LeafFinder.IsYoungEnough(file.Volume, found.Leaf, Window.SlotOf(page)) && file.Reaches(Window.Of(page), found.Leaf)
            && (source.Kind == PageSourceKind.Block || !found.Leaf.Runs.HasOpaque || file.Holds(found.Cookie)))
        {
            return new PageHold(PageHoldKind.Around, frame);
        }

        _reserve.Give(frame);
        return PageHold.None;
    }

    private async Task GiveAfterAsync(Task read, int frame)
    {
        await read.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _reserve.Give(frame);
    }

    /// <summary>The next page, from a page of a leaf on, that is no hole; at most the first of the next window.</summary>
    private static long NextMapped(Leaf leaf, long page)
    {
        var slot = Window.SlotOf(page);
        while (slot < leaf.Slots.Length && leaf[slot].Kind == ReferenceKind.Hole)
        {
            slot++;
        }

        return slot == leaf.Slots.Length ? Window.Of(page) + 1 << Window.Shift : page - Window.SlotOf(page) + slot;
    }

    /// <summary>Starts a load of a page that is nowhere in memory, for nobody in particular.</summary>
    private bool TryStartMissing(
        FileMapping file, long page, LeafFinder.Found found, int wanted, LoadManner manner, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out LoadOperation? load)
    {
        load = null;
        if (TryFaultMinor(file, page, out var hold))
        {
            if ((manner & LoadManner.Kept) != 0 && hold.Kind == PageHoldKind.Pinned)
            {
                _rooms.Reader.MarkKept(hold.Frame);
            }

            Release(hold);
            return false;
        }

        var source = found.Leaf.Resolve(Window.SlotOf(page), _rooms.PageShift);
        var outcome = source.Kind switch
        {
            PageSourceKind.Block => _starter.TryStart(file, page, found, source, wanted, manner, out load),
            PageSourceKind.Composite when file.MayLoadThrough(found.Leaf, found.Cookie) =>
                _starter.TryStartComposite(file, page, found, manner, out load),
            _ => LoadStarter.Outcome.Lost,
        };
        if (outcome != LoadStarter.Outcome.Started)
        {
            return false;
        }

        _rooms.Counters.PagesReadAhead.Add(load!.Frames.Count);
        var first = load.Frames[0].Frame;
        _ = _runner.RunAsync(load, blocking: false);
        _minor.Unpin(first);
        return true;
    }

    /// <summary>How many pages behind the wanted ones to fetch: doubles while faults follow each other.</summary>
    private int PlanReadAhead(FileMapping file, long page, int wanted, LoadManner manner)
    {
        if ((manner & LoadManner.Onwards) != 0)
        {
            return _maxReadAhead;
        }

        if (_maxReadAhead == 0 || page != file.ReadAheadNext)
        {
            return 0;
        }

        return Math.Min(_maxReadAhead, Math.Max(4, Math.Max(wanted, file.ReadAheadPages) * 2));
    }

    private static void NoteReadAhead(FileMapping file, long page, int wanted, int loaded)
    {
        file.ReadAheadPages = page == file.ReadAheadNext ? Math.Max(0, loaded - wanted) : 0;
        file.ReadAheadNext = page + loaded;
    }

    /// <summary>
    /// After a leaf was made or no frame was had: metadata may have outgrown its allowance, empty leaves may have piled up,
    /// or frames wait for a sweep to come back.
    /// </summary>
    private void Maintain()
    {
        _rooms.Supply.Balance();
        _rooms.Sweeper.SweepIfNeeded();
    }
}
