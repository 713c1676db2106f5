using System.Diagnostics;
using System.Text;
using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress.Storms;

/// <summary>
/// One round: a cache with an arena much smaller than its data, a few volumes with their engines, and threads that read
/// clones of clones and strangers in every way there is, checking every word.
/// </summary>
internal sealed class Storm
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private readonly OpenHandle[] _slots;
    private readonly Lock _slotsLock = new();
    private readonly StormFaults _faults;
    private readonly StormEngine[] _engines;
    private Exception? _failure;
    private int _stop;
    private int _disposing;

    public Storm(StormOptions options)
    {
        Options = options;
        _faults = new StormFaults(options, options.Seed);
        Cache = new PageCache(new PageCacheOptions
        {
            PageSize = options.PageSize,
            Policy = options.Policy,
            SharerWeight = options.Weight,
            ExactFrameCount = options.Frames,
            MaxReadAheadPages = options.ReadAhead,
            Checked = CheckedRuns.Has(options.Seed),
            FirstGeneration = options.OldFrames ? Frames.FrameState.LastGeneration - new Dice(options.Seed).Below(40) : 1,
        });
        _engines = new StormEngine[options.Volumes];
        for (var i = 0; i < _engines.Length; i++)
        {
            _engines[i] = new StormEngine(options, i, Cache, _faults, Serials);
        }

        var dice = new Dice(Dice.Mix(options.Seed, 77));
        _slots = new OpenHandle[options.Slots];
        for (var i = 0; i < _slots.Length; i++)
        {
            _slots[i] = OpenBase(dice);
        }
    }

    public StormOptions Options { get; }

    public PageCache Cache { get; }

    public StormSerials Serials { get; } = new();

    public bool IsStopped => Volatile.Read(ref _stop) != 0;

    public bool IsDisposing => Volatile.Read(ref _disposing) != 0;

    public long Operations { get; private set; }

    public long WordsChecked { get; private set; }

    public long EngineSteps => _engines.Sum(static engine => engine.Steps);

    public long FaultsInjected => _faults.Injected;

    public long DeviceReads => _engines.Sum(static engine => engine.Device.Reads);

    public long Evictions { get; private set; }

    public long Exceptions { get; private set; }

    /// <summary>Reads that gave up because the engine changed their window all the time.</summary>
    public long Starved { get; private set; }

    /// <summary>Runs the round; throws <see cref="StormFailure"/> with all that is known if an invariant breaks.</summary>
    public void Run()
    {
        var workers = new StormWorker[Options.Workers];
        var threads = new List<Thread>();
        for (var i = 0; i < workers.Length; i++)
        {
            workers[i] = new StormWorker(this, i);
            threads.Add(Start(workers[i].Run, $"worker {i}"));
        }

        threads.Add(Start(Watch, "verifier"));
        if (Options.HasEngine)
        {
            threads.Add(Start(DriveEngines, "engine"));
        }

        var watch = Stopwatch.StartNew();
        while (watch.ElapsedMilliseconds < Options.Milliseconds && !IsStopped)
        {
            Thread.Sleep(5);
            if (Options.Kind.HasFlag(StormKind.Dispose) && watch.ElapsedMilliseconds > Options.Milliseconds / 2)
            {
                DisposeUnderWay();
            }
        }

        Volatile.Write(ref _stop, 1);
        foreach (var thread in threads)
        {
            if (!thread.Join(Patience))
            {
                Fail(new StormFailure(
                    $"I7: {thread.Name} is stuck; workers: {string.Join("; ", workers.Select(worker => worker.ToString()))}"));
            }
        }

        Operations = workers.Sum(static worker => worker.Operations);
        WordsChecked = workers.Sum(static worker => worker.WordsChecked);
        Exceptions = workers.Sum(static worker => worker.Exceptions);
        Starved = workers.Sum(static worker => worker.Starved);
        Evictions = Cache.GetStatistics().Evictions;
        ThrowIfFailed();
        try
        {
            CheckAtRest();
        }
        catch (Exception error) when (error is not StormFailure)
        {
            Fail(error);
        }

        ThrowIfFailed();
    }

    /// <summary>Ends the round at the first failure.</summary>
    public void Fail(Exception error)
    {
        Interlocked.CompareExchange(ref _failure, error, null);
        Volatile.Write(ref _stop, 1);
    }

    public OpenHandle PickHandle(Dice dice)
    {
        lock (_slotsLock)
        {
            return _slots[dice.Below(_slots.Length)];
        }
    }

    /// <summary>Puts a handle in the place of another, which is closed.</summary>
    public void Replace(Dice dice, OpenHandle handle)
    {
        OpenHandle old;
        lock (_slotsLock)
        {
            var slot = dice.Below(_slots.Length);
            old = _slots[slot];
            _slots[slot] = handle;
        }

        old.Close();
    }

    public OpenHandle OpenBase(Dice dice)
    {
        var engine = _engines[dice.Below(_engines.Length)];
        var inode = engine.Bases[dice.Below(engine.Bases.Count)];
        var file = engine.Volume.OpenFile(inode, inode.Layout.Length, new FileOpenOptions
        {
            Domain = new SecurityDomain((ushort)dice.Below(3)),
        });
        engine.Register(inode, file);
        return new OpenHandle(file, inode);
    }

    public override string ToString() => Options.ToString();

    private void Watch()
    {
        while (!IsStopped)
        {
            try
            {
                Cache.Verify();
                var figures = Cache.GetStatistics();
                if (figures.ResidentBytes < 0 || figures.ResidentBytes > (long)Options.Frames * Options.PageSize
                    || figures.OpenFiles < 0 || figures.MetadataBytes < 0 || figures.SavedBytes < 0 || figures.HitRatio is < 0 or > 1)
                {
                    throw new StormFailure($"I6: figures out of range: {figures}");
                }
            }
            catch (Exception error)
            {
                Fail(error);
            }

            Thread.Sleep(20);
        }
    }

    private void DriveEngines()
    {
        var dice = new Dice(Dice.Mix(Options.Seed, 500));
        try
        {
            while (!IsStopped)
            {
                _engines[dice.Below(_engines.Length)].Step();
                switch (Options.EnginePause)
                {
                    case 0:
                        Thread.Yield();
                        break;
                    case 1:
                        Thread.Sleep(1);
                        break;
                    default:
                        Thread.SpinWait(1000);
                        break;
                }
            }
        }
        catch (ObjectDisposedException) when (IsDisposing)
        {
            // The volume is gone.
        }
        catch (Exception error)
        {
            Fail(error);
        }
    }

    private void DisposeUnderWay()
    {
        if (Interlocked.Exchange(ref _disposing, 1) != 0)
        {
            return;
        }

        try
        {
            var dice = new Dice(Dice.Mix(Options.Seed, 600));
            if (dice.OneIn(2))
            {
                foreach (var engine in _engines)
                {
                    engine.Volume.Dispose();
                    Thread.Sleep(dice.Below(10));
                }
            }
            else
            {
                Cache.Dispose();
            }
        }
        catch (Exception error)
        {
            Fail(error);
        }
    }

    /// <summary>Everything is quiet and healed: all files read right, all counts add up, nothing is left behind.</summary>
    private void CheckAtRest()
    {
        _faults.Heal();
        WaitForLoads();
        Cache.Verify();
        var reader = new StormWorker(this, -1);
        if (!IsDisposing)
        {
            foreach (var handle in _slots)
            {
                reader.ReadAll(handle);
            }

            foreach (var handle in _slots)
            {
                reader.CheckReferences(handle);
            }

            Cache.Verify();
        }

        foreach (var handle in _slots)
        {
            handle.Close();
        }

        var figures = Cache.GetStatistics();
        Require(IsDisposing || figures.OpenFiles == 0, $"L: {figures.OpenFiles} files are open after all were closed.");
        Require(figures.LogicalBytes == 0, $"L: {figures.LogicalBytes} logical bytes after all files were closed.");
        Require(figures.LeakedLeases == 0, $"L: {figures.LeakedLeases} leases were leaked.");
        Require(Cache.GetHolders().Count == 0, $"L: leases are held: {string.Join("; ", Cache.GetHolders())}");
        foreach (var engine in _engines)
        {
            engine.Volume.Dispose();
        }

        WaitForLoads();
        Cache.Verify();
        figures = Cache.GetStatistics();
        Require(figures.ResidentBytes == 0, $"I6: {figures.ResidentBytes} bytes are resident without a volume. {FrameWords()}");
        Cache.Dispose();
        Cache.Verify();
        Require(Words.PinsOf(Cache) == 0, $"I6: {Words.PinsOf(Cache)} pins are left.");
    }

    /// <summary>Loads that nobody waited for (read-ahead) end by themselves.</summary>
    private void WaitForLoads()
    {
        var watch = Stopwatch.StartNew();
        while (Words.PinsOf(Cache) != 0 && watch.Elapsed < TimeSpan.FromSeconds(10))
        {
            Thread.Sleep(1);
        }

        Require(Words.PinsOf(Cache) == 0, $"I6: pins are left at rest. {FrameWords()}");
    }

    private string FrameWords() => Words.OfFrames(Cache);

    private void Require(bool holds, string message)
    {
        if (!holds)
        {
            throw new StormFailure(message);
        }
    }

    private Thread Start(Action run, string name)
    {
        var thread = new Thread(() => run()) { Name = name, IsBackground = true };
        thread.Start();
        return thread;
    }

    private void ThrowIfFailed()
    {
        if (_failure is not { } failure)
        {
            return;
        }

        var text = new StringBuilder();
        text.AppendLine(failure.Message);
        text.AppendLine(Options.ToString());
        text.AppendLine(Soak.Replay(nameof(StormTests), Options.Seed));
        throw new StormFailure(text.ToString(), failure);
    }
}
