using SharedPageCache.Frames;
using SharedPageCache.Stress.Support;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Stress.WriteStorms;

/// <summary>One round: some files, some threads that do everything with them, and a look at everything when it is over.</summary>
internal sealed class WriteStorm
{
    private readonly WriteStormOptions _options;
    private readonly MemoryDevice _device;
    private readonly List<Exception> _failures = [];
    private readonly WrittenFile?[] _files;
    private long _lastId;

    public WriteStorm(WriteStormOptions options)
    {
        _options = options;
        Cache = new PageCache(new PageCacheOptions
        {
            PageSize = options.PageSize, Policy = options.Policy, MaxReadAheadPages = options.Seed % 2 == 0 ? 0 : 8, HugePages = false,
            ExactFrameCount = options.Frames,
            Checked = CheckedRuns.Has(options.Seed),
            DirtyAge = options.WritesInBackground ? TimeSpan.FromMilliseconds(10) : TimeSpan.FromHours(1),
        });
        var blocks = options.Pages * 256L;
        _device = new MemoryDevice(blocks * options.PageSize, Math.Min(4096, options.PageSize)).Stamp();
        EngineOfPages = new PageEngine(blocks, options.PageSize, options.InPlace);
        Volume = Cache.AttachVolume(_device, new VolumeOptions { Placement = EngineOfPages });
        EngineOfPages.Volume = Volume;
        _device.BeforeRead = _ => StallAsync(mayFail: false);
        _device.BeforeWrite = _ => StallAsync(mayFail: true);
        EngineOfPages.DuringPlace = () => StallAsync(mayFail: true);
        _files = new WrittenFile?[options.Files];
        for (var i = 0; i < Math.Max(1, options.Files / 2); i++)
        {
            _files[i] = NewFile();
        }

        RecordPages = (int)Math.Min(4, _files[0]!.Handle.MaxAtomicWrite / options.PageSize);
    }

    public PageCache Cache { get; }

    public PageEngine EngineOfPages { get; }

    public CachedVolume Volume { get; }

    /// <summary>Pages of a record; the first two records of every file are never cut.</summary>
    public int RecordPages { get; }

    public int FirstStripedPage => 2 * RecordPages;

    public long Operations { get; private set; }

    public long WordsChecked { get; private set; }

    public long Ranges { get; private set; }

    public long Deduped { get; private set; }

    public long Merges { get; private set; }

    public bool IsOver { get; private set; }

    public bool IsHealed { get; private set; }

    public void Run()
    {
        var workers = Enumerable.Range(0, _options.Threads).Select(number => new WriteStormWorker(this, _options, number)).ToArray();
        var threads = workers.Select(worker => new Thread(() => Guard(worker)) { IsBackground = true }).ToArray();
        Array.ForEach(threads, static thread => thread.Start());
        var end = Environment.TickCount64 + _options.Milliseconds;
        while (Environment.TickCount64 < end && !HasFailed)
        {
            Thread.Sleep(20);
            Guard(Cache.Verify);
        }

        IsOver = true;
        foreach (var thread in threads)
        {
            if (!thread.Join(TimeSpan.FromSeconds(60)))
            {
                throw new WriteStormFailure($"A worker hangs: {string.Join("; ", workers.Select(static worker => worker.Doing))}. {FirstFailure} {Cache.Dump()} {string.Join(", ", FramesInUse())} ({_options})");
            }
        }

        Operations = workers.Sum(static worker => worker.Operations);
        WordsChecked = workers.Sum(static worker => worker.WordsChecked);
        Ranges = workers.Sum(static worker => worker.Ranges);
        Deduped = workers.Sum(static worker => worker.Deduped);
        Merges = workers.Sum(static worker => worker.Merges);
        Guard(Finish);
        if (HasFailed)
        {
            throw new WriteStormFailure($"{FirstFailure}{Environment.NewLine}{_options}");
        }
    }

    public WrittenFile? Pick(Dice dice) => Volatile.Read(ref _files[dice.Below(_files.Length)]);

    public WrittenFile NewFile()
    {
        var id = NextId();
        return new WrittenFile(_options, Volume.OpenFile(EngineOfPages.Create(), 0, new FileOpenOptions { Id = id }), id, content: null);
    }

    public FileId NextId() => FileId.FromNumber((ulong)Interlocked.Increment(ref _lastId));

    /// <summary>Gives a file a place among those that all workers use; false if there is none.</summary>
    public bool TryAdd(WrittenFile file)
    {
        for (var i = 0; i < _files.Length; i++)
        {
            if (Interlocked.CompareExchange(ref _files[i], file, null) is null)
            {
                return true;
            }
        }

        return false;
    }

    public void Remove(WrittenFile file)
    {
        for (var i = 0; i < _files.Length; i++)
        {
            Interlocked.CompareExchange(ref _files[i], null, file);
        }
    }

    /// <summary>Looks at a whole file through the cache.</summary>
    public ulong[] CheckAll(WrittenFile file, string how)
    {
        var looks = file.Look(0, _options.Pages);
        var bytes = new byte[_options.Pages * _options.PageSize];
        file.Handle.Read(0, bytes);
        return file.Judge(0, bytes, looks, how);
    }

    /// <summary>Compares what is durable with what may be; when it is called all that was written has been flushed.</summary>
    public void CheckDurable(WrittenFile file, Cell.Look[] looks, string how)
    {
        byte[] durable;
        SortedDictionary<long, long> blocks;
        do
        {
            // What was durable is reused once something newer is: then it is looked at again.
            blocks = file.Engine.DurableBlocks;
            durable = PageEngine.Durable(file.Engine, _device.Bytes);
        }
        while (blocks != file.Engine.DurableBlocks);

        Array.Resize(ref durable, _options.Pages * _options.PageSize);
        file.Judge(0, durable, looks, how);
    }

    private void Finish()
    {
        if (HasFailed)
        {
            return;
        }

        IsHealed = true;
        _device.BeforeRead = null;
        _device.BeforeWrite = null;
        EngineOfPages.DuringPlace = null;
        Volume.FlushAsync().AsTask().GetAwaiter().GetResult();
        Cache.Verify();
        Assert.Equal(0, Cache.GetStatistics().DirtyBytes);
        foreach (var file in _files.OfType<WrittenFile>())
        {
            CheckAll(file, "at the end");
            CheckDurable(file, file.Look(0, _options.Pages), "durable at the end");
            file.Handle.Dispose();
        }

        // Files that were closed during a write-back of the background go at its end.
        Volume.FlushAsync().AsTask().GetAwaiter().GetResult();
        Assert.Equal(0, Cache.GetStatistics().OpenFiles);
        Assert.Empty(Cache.GetHolders());
        Cache.Verify();
        Cache.Dispose();

        // A read-ahead that was under way ends by itself.
        Assert.True(
            SpinWait.SpinUntil(() => Cache.GetStatistics().ResidentBytes == 0, TimeSpan.FromSeconds(20)),
            $"{Cache.GetStatistics().ResidentBytes} bytes never came back: {string.Join(", ", FramesInUse())}");
        Cache.Verify();
    }

    private IEnumerable<string> FramesInUse()
    {
        var frames = Cache.Engine.Rooms.Frames;
        return Enumerable.Range(0, frames.Count)
            .Where(frame => frames[frame].State.Load().Phase != FramePhase.Free || frames[frame].PinsAcquire != 0)
            .Select(frame => $"frame {frame} is {frames[frame].State} with {frames[frame].PinsAcquire} pins")
            .Append($"{Cache.Engine.Rooms.Pool.FreeCount} free, {Cache.Engine.Rooms.Staged} staged");
    }

    private async Task StallAsync(bool mayFail)
    {
        var number = Random.Shared.Next();
        if (number % _options.StallsOneIn == 0)
        {
            await Task.Delay(number / 8 % 3);
        }

        if (mayFail && _options.Fails && !IsHealed && number / 64 % 4 == 0)
        {
            throw new IOException("the disk is broken for the moment.");
        }
    }

    private bool HasFailed
    {
        get
        {
            lock (_failures)
            {
                return _failures.Count > 0;
            }
        }
    }

    private Exception? FirstFailure
    {
        get
        {
            lock (_failures)
            {
                return _failures.FirstOrDefault();
            }
        }
    }

    private void Guard(WriteStormWorker worker) => Guard(() =>
    {
        while (!IsOver && !HasFailed)
        {
            worker.Step();
        }

        worker.Finish();
    });

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception error)
        {
            lock (_failures)
            {
                _failures.Add(error);
            }
        }
    }
}
