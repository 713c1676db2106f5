using SharedPageCache.Diagnostics;
using SharedPageCache.Eviction;
using SharedPageCache.Faults;
using SharedPageCache.Mappings;
using SharedPageCache.Writeback;

namespace SharedPageCache;

/// <summary>What stands behind the public face: the rooms and the services over them, wired for one cache.</summary>
internal sealed class CacheEngine
{
    public CacheEngine(PageCacheOptions options)
    {
        var plan = options.Plan();
        Name = options.Name;
        Rooms = new Rooms(plan, options.HugePages, options.Policy switch
        {
            EvictionPolicy.Clock => static (table, capacity) => new ClockPolicy(table, capacity),
            EvictionPolicy.S3Fifo => static (table, capacity) => new S3FifoPolicy(table, capacity),
            EvictionPolicy.Lru => static (table, capacity) => new LruPolicy(table, capacity),
            EvictionPolicy.Sieve => static (table, capacity) => new SievePolicy(table, capacity),
            _ => static (table, capacity) => new WindowTinyLfuPolicy(table, capacity),
        }, options.TimeProvider, options.FirstGeneration, options.VolumeNumbers, options.SharerWeight == SharerWeight.Doublings, options.Checked, options.CheckedReport);
        Faults = new PageFaults(Rooms, options.MaxReadAheadPages);
        Reads = new PageReads(Rooms, Faults);
        Leases = new PageLeases(Rooms, Faults);
        Demotion = new PageDemotion(Rooms);
        Invalidation = new BlockInvalidation(Rooms);
        Query = new ReverseQuery(Rooms);
        var sink = new FrameSink(Rooms, Invalidation);
        Provisional = new ProvisionalFrames(Rooms.Frames, Rooms.Rmap, Rooms.Families, sink);
        var writer = new DeviceWriter(Rooms.Writeback, Rooms.PageSize);
        var shown = new ShownBlocks(Rooms.Frames, Rooms.Table, Rooms.Rmap, Rooms.Families, Rooms.PageShift);
        _writeback = new WritebackServices(
            Rooms.Frames, Rooms.Arena, Rooms.Table, Provisional, writer, sink, shown, Rooms.Writeback, Rooms.PageShift, Rooms.Guard);
        Blocks = new BlockCare(Rooms, Invalidation, Query, writer);
        _limits = options.LimitsOf(plan);
        Writes = new PageWrites(Rooms, Faults, Provisional, _limits.MostAtomic(plan.FrameCount, plan.PageSize));
        Shapes = new FileShapes(Rooms, Writes, Provisional, FlushPageAsync);
        Writes.Grow = Shapes.GrowAsync;
        Ranges = new RangeClones(Rooms, Faults, Writes, Shapes, Provisional, CachedVolume.LongestFile);
        WriteLeases = new WriteLeases(Rooms, Faults, Provisional, Writes);
        Merges = new FileMerges(Rooms, Provisional);
        Around = new WritesAround(Rooms, Faults, Writes, Provisional, writer, sink, shown);
        Verifier = new Verifier(
            Rooms.Frames, Rooms.Table, Rooms.Rmap, Rooms.Families, Rooms.Volumes, Rooms.Ledger, Rooms.TouchedFrames,
            Rooms.PageShift, () => Rooms.Pool.FreeCount + Rooms.Pool.QuarantinedCount + Rooms.Pool.WithheldCount + plan.Reserve + Rooms.Staged,
            () => Rooms.Activity, Rooms.Checked);
    }

    private readonly WritebackServices _writeback;
    private readonly WritebackLimits _limits;

    /// <summary>What the cache is called (<see cref="PageCacheOptions.Name"/>).</summary>
    public string Name { get; }

    public Rooms Rooms { get; }

    public PageFaults Faults { get; }

    public PageReads Reads { get; }

    public PageLeases Leases { get; }

    public PageDemotion Demotion { get; }

    public PageWrites Writes { get; }

    public WriteLeases WriteLeases { get; }

    public FileShapes Shapes { get; }

    public RangeClones Ranges { get; }

    public ProvisionalFrames Provisional { get; }

    public BlockInvalidation Invalidation { get; }

    public ReverseQuery Query { get; }

    public BlockCare Blocks { get; }

    public FileMerges Merges { get; }

    public WritesAround Around { get; }

    public Verifier Verifier { get; }

    /// <summary>Gives a volume that can be written its write-back.</summary>
    public void AddWriter(VolumeMap volume)
    {
        if (volume.Placement is not null)
        {
            volume.Writer = new VolumeWriter(volume, _writeback, _limits, Rooms.Time, Rooms.Dirty);
        }
    }

    /// <summary>Makes a range of a file durable, and whatever its engine owes.</summary>
    /// <exception cref="CacheWritebackException">It could not be made durable, or a failure in the background is told.</exception>
    public static async ValueTask FlushAsync(FileMapping file, long firstPage, long lastPage, CancellationToken cancellationToken)
    {
        if (file.Volume.Writer is not VolumeWriter writer)
        {
            return;
        }

        var failures = await writer.FlushAsync(
            () => TreeSurgery.ProvisionalsOf(file.Tree, firstPage, lastPage).ConvertAll(static dirty => dirty.Reference),
            cancellationToken, file: file).ConfigureAwait(false);
        var untold = file.WritingIfAny?.TakeUntold();
        if (failures.Count > 0)
        {
            throw failures[0];
        }

        if (untold is not null)
        {
            throw new CacheWritebackException(
                untold.File, untold.FileName, untold.Offset, untold.Length, untold.Step,
                $"a write-back in the background failed; the pages are durable by now. {untold.Message}", untold);
        }
    }

    /// <summary>
    /// Makes a file durable and then does something before any other write-back of the volume begins, and before the file
    /// changes its shape. What failed in the background stays to be told.
    /// </summary>
    /// <exception cref="CacheWritebackException">Something could not be made durable; nothing was done.</exception>
    public static async ValueTask FlushThenAsync(FileMapping file, Func<Task> then, CancellationToken cancellationToken)
    {
        if (!file.IsWritable || file.Volume.Writer is not VolumeWriter writer)
        {
            await then().ConfigureAwait(false);
            return;
        }

        // The shape's turn before the write-back's, as for growing.
        await FileShapes.EnterAsync(file, blocking: false, cancellationToken).ConfigureAwait(false);
        try
        {
            var failures = await writer.FlushAsync(
                () => TreeSurgery.ProvisionalsOf(file.Tree, 0, long.MaxValue >> file.Volume.PageShift).ConvertAll(static dirty => dirty.Reference),
                cancellationToken, then, file).ConfigureAwait(false);
            if (failures.Count > 0)
            {
                throw failures[0];
            }
        }
        finally
        {
            file.Writing.LengthTurn.Give();
        }
    }

    /// <summary>
    /// Does something in the turns in which <see cref="FlushThenAsync"/> would, if no page of the file is dirty, and makes nothing durable. What is
    /// written meanwhile is dirty in memory, and nothing of it reaches the device before it is done. At once, if both turns are free.
    /// </summary>
    public static ValueTask IfCleanAsync(FileMapping file, Action act, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!file.IsWritable || file.Volume.Writer is not VolumeWriter writer)
        {
            act();
            return default;
        }

        if (file.Writing.LengthTurn.TryTake())
        {
            try
            {
                if (writer.TryInTurn(ActIfClean))
                {
                    return default;
                }
            }
            finally
            {
                file.Writing.LengthTurn.Give();
            }
        }

        return WaitAsync();

        void ActIfClean()
        {
            if (file.Volume.Dirty.Count == 0 || !TreeSurgery.IsDirty(file.Tree))
            {
                act();
            }
        }

        async ValueTask WaitAsync()
        {
            await FileShapes.EnterAsync(file, blocking: false, cancellationToken).ConfigureAwait(false);
            try
            {
                await writer.InTurnAsync(
                    () =>
                    {
                        ActIfClean();
                        return Task.CompletedTask;
                    },
                    cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                file.Writing.LengthTurn.Give();
            }
        }
    }

    /// <summary>Makes one page durable. What failed in the background stays to be told.</summary>
    private static async Task FlushPageAsync(FileMapping file, long page, CancellationToken cancellationToken)
    {
        var failures = await ((VolumeWriter)file.Volume.Writer!).FlushAsync(
            () => TreeSurgery.ProvisionalsOf(file.Tree, page, page).ConvertAll(static dirty => dirty.Reference),
            cancellationToken, file: file).ConfigureAwait(false);
        if (failures.Count > 0)
        {
            throw failures[0];
        }
    }

    /// <summary>Makes everything of a volume durable.</summary>
    /// <exception cref="CacheWritebackException">Something could not be made durable.</exception>
    public static async ValueTask FlushAsync(VolumeMap volume, CancellationToken cancellationToken)
    {
        if (volume.Writer is not VolumeWriter writer)
        {
            return;
        }

        var failures = await writer
            .FlushAsync(
                () => volume.Dirty.All().ConvertAll(static entry => PageReference.Resident(entry.Key, entry.Value.Generation)),
                cancellationToken).ConfigureAwait(false);
        if (failures.Count > 0)
        {
            throw failures[0];
        }
    }

    /// <summary>Detaches a volume: what it has in memory goes, dirty or not, and so do files that were closed with dirty pages.</summary>
    /// <returns>Whether this call did it.</returns>
    public bool Detach(VolumeMap volume)
    {
        if (!volume.Detach())
        {
            return false;
        }

        Invalidation.DiscardAll(volume);
        volume.RetireLingering();
        return true;
    }

    /// <exception cref="CacheCapacityException">Frames have given up all that they may for metadata.</exception>
    public void ThrowIfMetadataFull()
    {
        Rooms.Supply.BalanceIfMoved();
        if (!Rooms.Supply.IsMetadataFull)
        {
            return;
        }

        Rooms.Supply.CollectNodes();
        if (Rooms.Supply.IsMetadataFull)
        {
            throw new CacheCapacityException(
                $"Metadata holds {Rooms.Supply.ManagedMetadataBytes} bytes of a capacity of {Rooms.Plan.CapacityBytes}; "
                + "close files, or give the cache more memory.");
        }
    }

    public FileReport Report(FileMapping mapping)
    {
        var pageSize = Rooms.PageSize;
        long resident = 0;
        long used = 0;
        long shared = 0;
        double proportional = 0;
        var touches = mapping.Touches;
        mapping.Tree.ForEachLeaf((window, leaf) =>
        {
            for (var slot = 0; slot < leaf.Slots.Length; slot++)
            {
                var reference = leaf[slot];
                if (!reference.IsResident || !Rooms.Frames[reference.Frame].State.Load().Admits(reference.Word))
                {
                    continue;
                }

                resident += pageSize;
                if (touches is null || !touches.IsSet((window << Window.Shift) + slot))
                {
                    continue;
                }

                var sharers = Math.Max(1, leaf.TouchesOf(slot));
                used += pageSize;
                shared += sharers > 1 ? pageSize : 0;
                proportional += (double)pageSize / sharers;
            }
        });
        return new FileReport(resident, used, shared, (long)Math.Round(proportional));
    }

    public PageCacheStatistics Statistics()
    {
        var (plan, pool, counters) = (Rooms.Plan, Rooms.Pool, Rooms.Counters);
        var idle = pool.FreeCount + pool.QuarantinedCount + pool.WithheldCount + pool.RetiredCount + plan.Reserve;
        return new PageCacheStatistics
        {
            CapacityBytes = plan.CapacityBytes,
            PageSize = plan.PageSize,
            FrameCount = plan.FrameCount,
            LogicalBytes = Rooms.Ledger.LogicalBytes,
            ResidentBytes = Math.Max(0, plan.FrameCount - idle) * (long)plan.PageSize,
            SavedBytes = Math.Max(0, Rooms.Ledger.TouchedResidents - Rooms.TouchedFrames.Count) * plan.PageSize,
            MetadataBytes = Rooms.MetadataBytes,
            UncollectedBytes = Rooms.Ledger.GarbageBytes,
            Hits = Rooms.Hits.Sum,
            MinorFaults = counters.MinorFaults.Sum,
            MajorFaults = counters.MajorFaults.Sum,
            LoadsCoalesced = counters.LoadsCoalesced.Sum,
            Misses = counters.Misses.Sum,
            LoadFailures = counters.LoadFailures.Sum,
            DeviceReads = counters.DeviceReads.Sum,
            DevicePagesRead = counters.DevicePagesRead.Sum,
            PagesReadAhead = counters.PagesReadAhead.Sum,
            ReadsAround = counters.ReadsAround.Sum,
            Evictions = Rooms.Reclaimer.Evictions,
            PagesSpared = Rooms.Reclaimer.Spares,
            PagesDiscarded = counters.PagesDiscarded.Sum,
            LeasedFrames = Rooms.Quota.Charged,
            LeaseLimit = Rooms.Quota.Limit,
            LeakedLeases = counters.LeakedLeases.Sum,
            DirtyBytes = Rooms.Volumes.All().Sum(static volume => (long)volume.Dirty.Count) * plan.PageSize,
            PagesWritten = Rooms.Writeback.PagesWritten.Sum,
            DeviceWrites = Rooms.Writeback.DeviceWrites.Sum,
            RunsPublished = Rooms.Writeback.RunsPublished.Sum,
            WritebackFailures = Rooms.Writeback.PagesFailed.Sum,
            WritesThrottled = Rooms.Writeback.WritesThrottled.Sum,
            PagesCopied = Rooms.Writeback.PagesCopied.Sum,
            PagesTakenOver = Rooms.Writeback.PagesTakenOver.Sum,
            OpenFiles = Rooms.Volumes.OpenFiles,
            Leaves = Rooms.Ledger.Leaves,
        };
    }
}
