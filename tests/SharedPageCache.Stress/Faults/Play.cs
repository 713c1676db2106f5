using System.Collections.Concurrent;
using SharedPageCache.Stress.Storms;
using SharedPageCache.TestKit.Faults;

namespace SharedPageCache.Stress.Faults;

/// <summary>
/// Plays a scenario: does each step, and knows by byte arrays what every file must hold, whatever fails. What a step throws must
/// be one of the documented exceptions with an injected fault behind it (I8), and then it has changed nothing, or page by page what its
/// contract says. At the end all is healed, flushed, verified and compared (I1, I2, I6), what is durable too.
/// </summary>
internal sealed partial class Play(World world)
{
    /// <summary>What the hooks and the veto throw reaches the caller as it is; all else is wrapped.</summary>
    private static readonly HashSet<string> _bareCalls =
        ["Clone", "SetLength", "PunchHole", "CloneRange", "ReplaceWith", "Delete", "BeforeUnshare"];

    /// <summary>Nothing takes so long; who waits so long waits for ever (I7).</summary>
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(120);

    private readonly ConcurrentDictionary<string, PlayedFile> _files = [];
    private readonly ConcurrentDictionary<string, Taken> _taken = [];
    private readonly Dictionary<string, PlayedFile> _closed = [];
    private readonly List<CancellationTokenSource> _open = [];
    private readonly List<IDisposable> _occupied = [];
    private readonly ConcurrentQueue<string> _history = [];
    private volatile string _current = "the beginning";
    private int _fill;
    private int _failed;
    private bool _isInMoment;
    private bool _isMeanwhile;
    private bool _isTogether;
    private bool _hasOccupied;
    private bool _hasLostFile;
    private bool _wasTold;

    private FaultPlan Plan => world.Plan;

    private int PageSize => world.Layout.PageSize;

    private bool IsAsync => world.Layout.IsAsync;

    /// <summary>Plays a scenario from an empty world to the end.</summary>
    public static async Task RunAsync(Layout layout, Scenario scenario, FaultPlan plan)
    {
        var world = new World(layout, plan);
        var play = new Play(world);
        plan.Cancel = play.CancelAll;
        try
        {
            await Task.Run(() => play.RunAsync(scenario)).WaitAsync(_longest);
        }
        catch (TimeoutException)
        {
            throw new InvalidOperationException($"it hangs in '{play._current}': {Words.OfFrames(world.Cache)}");
        }

        world.Dispose();
    }

    private async Task RunAsync(Scenario scenario)
    {
        await BeginAsync("a");
        await StepsAsync(scenario);
        Plan.Heal();
        _current = "the end";
        await EndAsync(isLast: true);
    }

    public async Task BeginAsync(string name)
    {
        var (file, bytes) = await world.OpenMappedAsync(name, 8);
        _files[name] = new PlayedFile(file, bytes);
    }

    public async Task StepsAsync(Scenario scenario)
    {
        foreach (var together in scenario.Steps)
        {
            await TogetherAsync(together);
        }
    }

    /// <summary>What was done, and how it failed.</summary>
    public string History => string.Join("; ", _history);

    /// <summary>The plan is healed: everything is right, and can be made durable.</summary>
    public async Task EndAsync(bool isLast)
    {
        world.ForgetMoments();
        GiveAll();
        WaitForLoads();
        await RepairAllAsync();
        foreach (var name in _closed.Keys.ToList())
        {
            Reopen(name);
        }

        await CompareAsync("read");
        await FlushHealedAsync();
        Demand(!isLast || world.Figures.DirtyBytes == 0, "something is dirty after a flush");
        WaitForLoads();
        if (isLast)
        {
            world.Cache.Verify();
            DemandLoud();
        }

        await CompareAsync("read after the flush");
        foreach (var (name, played) in _files)
        {
            if (world.DurableOf(played.File) is { } durable)
            {
                DemandEqual(played.Bytes, durable, $"durable: {name}");
            }
        }

        if (isLast)
        {
            Close(world, [this]);
        }
    }

    /// <summary>
    /// Cancels what is under way. Whoever waits is woken on another thread: this one is inside a call of the engine, and who goes on
    /// inside it might wait for it.
    /// </summary>
    public void CancelAll()
    {
        lock (_open)
        {
            _open.ForEach(static source => _ = source.CancelAsync());
        }
    }

    /// <summary>Loads that nobody waits for end first: who joined one of them would rightly get its error.</summary>
    public void WaitForLoads() => Demand(
        SpinWait.SpinUntil(() => Words.PinsOf(world.Cache) == _occupied.Count, 10_000), $"pins are left: {Words.OfFrames(world.Cache)}");

    /// <summary>I8: what was injected came up as an exception, or was counted and made good. A sequence is asked where only a shortcut hangs on it, too.</summary>
    private void DemandLoud()
    {
        var isThrown = Plan.Kind is FaultKind.Throws or FaultKind.NoSpace;
        var (figures, first) = (world.Figures, Plan.First);
        Demand(
            !isThrown || Plan.Struck == 0 || first == "Sequence" || _failed > 0 || _wasTold || figures.LoadFailures + figures.WritebackFailures > 0,
            $"the fault of {first} came up nowhere");
    }

    /// <summary>Closes everything that plays have left in a world, and looks at what is there then.</summary>
    public static void Close(World world, IReadOnlyList<Play> plays)
    {
        var named = new Dictionary<string, byte[]>();
        var files = plays.SelectMany(static play => play._files.Values).ToList();
        foreach (var played in files)
        {
            if (World.NameOnDisk(played.File) is { } name)
            {
                named[name] = played.Bytes;
            }
        }

        // An engine that has refused a placed run back has lost it; a file that is deleted in the middle of a failing hook may be left.
        var isComplete = world.Plan.First != "Abandon" && world.Plan.Struck < 2 && !plays.Any(static play => play._hasLostFile);
        world.CheckEngine(files.Select(static played => (played.File, played.Bytes)), isComplete);
        files.ForEach(static played => played.File.Dispose());
        World.Demand(world.Volume.OpenFiles == 0, "files are left open");
        world.Cache.Verify();
        world.CheckDisk(named);
        world.Dispose();
        World.Demand(world.Figures.ResidentBytes == 0, "pages are left after the end");
    }

    private async Task TogetherAsync(Step[] together)
    {
        var moments = together.Where(static step => step.Moment is not null);
        foreach (var step in moments)
        {
            world.At(step.Moment!, () => Meanwhile(step));
        }

        var now = together.Where(static step => step.Moment is null).ToList();
        if (now.Count == 1)
        {
            await DoAsync(now[0]);
        }
        else if (now.Count > 1)
        {
            _isTogether = true;
            await Task.WhenAll(now.Select(step => Task.Run(() => DoAsync(step))));
            _isTogether = false;
        }
    }

    /// <summary>A step inside a call of the engine: what would wait for that call is refused.</summary>
    private void Meanwhile(Step step)
    {
        (_isInMoment, _isMeanwhile) = (true, true);
        try
        {
            DoAsync(step).GetAwaiter().GetResult();
        }
        finally
        {
            _isInMoment = false;
        }
    }

    private Task DoAsync(Step step)
    {
        _current = step.ToString();
        _history.Enqueue(_current);
        return StepAsync(step);
    }

    private Task StepAsync(Step step) => step.Verb switch
    {
        "read" => ReadAsync(step),
        "tryread" => Now(() => TryRead(step)),
        "prefetch" => PrefetchAsync(step),
        "stream" => StreamAsync(step),
        "pipe" => PipeAsync(step),
        "diff" => DiffAsync(step),
        "find" => Now(() => Find(step)),
        "write" => WriteAsync(step),
        "zero" => ZeroAsync(step, grows: true),
        "punch" => ZeroAsync(step, grows: false),
        "setlen" => SetLengthAsync(step),
        "around" => WriteAroundAsync(step),
        "flush" => FlushAsync(step),
        "clone" => CloneAsync(step),
        "range" => CloneRangeAsync(step),
        "dedupe" => DedupeAsync(step),
        "merge" => MergeAsync(step),
        "delete" => DeleteAsync(step),
        "new" => Now(() => Create(step)),
        "close" => Now(() => Close(step)),
        "end" => CloseAsync(step),
        "open" => Now(() => Reopen(step.File)),
        "lease" => LeaseAsync(step),
        "leases" => LeaseRangeAsync(step),
        "keep" => Now(() => Keep(step)),
        "wlease" => LeaseForWriteAsync(step),
        "fill" => Now(() => Fill(step)),
        "commit" => CommitAsync(step),
        "give" => Now(() => Give(step.File)),
        "sweep" => Now(world.Sweep),
        "occupy" => Now(Occupy),
        "vacate" => Now(Vacate),
        "direct" => Now(() => WriteDirectly(step)),
        "bad" => Now(() => ReportBad(step)),
        "repair" => RepairAsync(step),
        "discard" => Now(() => Discard(step)),
        "move" => Now(() => Move(step)),
        "invalidate" => Now(() => Invalidate(step)),
        "sequence" => Now(() => { if (world.Engine is { } engine) { engine.TellsSequence = true; } }),
        _ => throw new InvalidOperationException($"there is no step {step}"),
    };

    private static Task Now(Action act)
    {
        act();
        return Task.CompletedTask;
    }

    /// <summary>Something that may fail, blocking or awaiting as the layout says.</summary>
    private async Task<Outcome> TryAsync(Step step, Action block, Func<CancellationToken, Task> wait)
    {
        using var source = new CancellationTokenSource();
        lock (_open)
        {
            _open.Add(source);
        }

        try
        {
            if (IsAsync)
            {
                await wait(source.Token);
            }
            else
            {
                block();
            }

            return new Outcome(null);
        }
        catch (Exception error)
        {
            _history.Enqueue($"({error.GetType().Name}: {error.Message})");
            Judge(step, error, source.IsCancellationRequested);
            Interlocked.Increment(ref _failed);
            return new Outcome(error);
        }
        finally
        {
            lock (_open)
            {
                _open.Remove(source);
            }
        }
    }

    /// <summary>Is this what the documentation says, and is there a fault behind it?</summary>
    private void Judge(Step step, Exception error, bool wasCancelled)
    {
        var isDocumented = error switch
        {
            OperationCanceledException => wasCancelled || (Plan.Struck > 0 && _bareCalls.Any(call => error.Message.StartsWith(call, StringComparison.Ordinal))),
            InjectedFaultException injected => _bareCalls.Contains(injected.Call),
            PageLoadException => Plan.Struck > 0 || !_bad.IsEmpty,
            ExtentMapException => Plan.Struck > 0,
            CacheWritebackException writeback => Plan.Struck > 0 && IsDocumented(writeback) && NamesItsStep(writeback),
            ArgumentException => step.Verb == "repair" && Plan.Struck > 0,
            CacheCapacityException => _hasOccupied,
            InvalidOperationException => _isInMoment,
            IOException io => io.Message.StartsWith("no space", StringComparison.Ordinal),
            _ => false,
        };
        if (!isDocumented)
        {
            throw new InvalidOperationException($"'{step}' throws what is not documented: {error}", error);
        }
    }

    /// <summary>The step that is named is the one that failed; the example engine does I/O of its own in any of its ports.</summary>
    private bool NamesItsStep(CacheWritebackException error) =>
        world.Engine is null || error.InnerException is not InjectedFaultException injected
        || injected.Call == error.Step || injected.Call is "Seal" or "Sequence" or "GetExtents";

    private static bool IsDocumented(CacheWritebackException error)
    {
        // Who waits for room is told of a volume on which nothing can be written back.
        var isOfVolume = error.Step is "Persist" || (error.Offset < 0 && error.Message.Contains(" waits for room", StringComparison.Ordinal)) || (error.Step is "Abandon" or "write" or "flush" && error.Offset < 0);
        return error.Step is "EnsureDurable" or "Place" or "write" or "flush" or "Publish" or "Persist" or "Abandon"
            && (isOfVolume ? error.Offset == -1 : error.Offset >= 0 && error.Length > 0);
    }

    private void Demand(bool isTrue, string what) => World.Demand(isTrue, what);

    private void DemandEqual(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, string what)
    {
        if (expected.Length != actual.Length)
        {
            throw new InvalidOperationException($"{what}: {actual.Length} bytes, expected {expected.Length}");
        }

        var same = expected.CommonPrefixLength(actual);
        if (same != expected.Length)
        {
            throw new InvalidOperationException(
                $"{what}: at {same} of {expected.Length} (page {same / PageSize}) stands {actual[same]:x2} instead of {expected[same]:x2}");
        }
    }

    /// <summary>Reads everything, with no fault in this flow.</summary>
    private async Task CompareAsync(string what)
    {
        foreach (var (name, played) in _files)
        {
            var found = await ReadSparedAsync(played);
            DemandEqual(played.Bytes, found, $"{what}: {name}");
        }
    }

    private async Task<byte[]> ReadSparedAsync(PlayedFile played)
    {
        using (FaultPlan.Spare())
        {
            for (var tries = 0; ; tries++)
            {
                try
                {
                    var bytes = new byte[played.File.Length];
                    var read = IsAsync ? await played.File.ReadAsync(0, bytes) : played.File.Read(0, bytes);
                    Demand(read == bytes.Length, $"{read} bytes were read of {bytes.Length}");
                    return bytes;
                }
                catch (Exception error) when (Plan.IsArmed && tries < 50 && error is PageLoadException or ExtentMapException)
                {
                    // A load that somebody else began, who is not spared.
                    await Task.Yield();
                }
            }
        }
    }

    /// <summary>
    /// A step has failed in the middle: each page (or other grain) is as it was or as it was to be, and the length too. What is there counts.
    /// </summary>
    private async Task LookAsync(Step step, PlayedFile played, byte[] wanted, int grain)
    {
        played.MayHaveChanged();
        await RepairAllAsync();
        var found = await ReadSparedAsync(played);
        Demand(found.Length == played.Length || found.Length == wanted.Length, $"'{step}' failed and left {found.Length} bytes of {played.Length}");
        var (old, now) = (played.Resized(found.Length), new byte[found.Length]);
        wanted.AsSpan(0, Math.Min(wanted.Length, found.Length)).CopyTo(now);
        for (var at = 0; at < found.Length; at += grain)
        {
            var length = Math.Min(grain, found.Length - at);
            var isOneOfTwo = found.AsSpan(at, length).SequenceEqual(old.AsSpan(at, length)) || found.AsSpan(at, length).SequenceEqual(now.AsSpan(at, length));
            Demand(isOneOfTwo, $"'{step}' failed and left page {at / PageSize} neither as it was nor as it was to be");
        }

        played.Change(found);
    }

    /// <summary>How a step ended.</summary>
    private readonly record struct Outcome(Exception? Error)
    {
        public static implicit operator bool(Outcome outcome) => outcome.Error is null;
    }
}
