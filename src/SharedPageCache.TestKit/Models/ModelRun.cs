using System.Diagnostics;
using System.Globalization;
using SharedPageCache.TestKit.Runs;

namespace SharedPageCache.TestKit.Models;

/// <summary>Many histories of a <see cref="FileModel"/> on several threads, each with a cache of its own; the first that fails is made shorter.</summary>
/// <remarks>A step that does not end within <see cref="Patience"/> is a failure as well (I7).</remarks>
/// <param name="open">Makes the volume for a history of the given shape.</param>
[DebuggerDisplay("{Threads} threads")]
public sealed class ModelRun(Func<ModelShape, ModelledVolume> open)
{
    /// <summary>How often a history that is not the same again in every detail is tried before it is said not to fail.</summary>
    private const int Tries = 4;

    /// <summary>How many histories run at a time. Default one for each processor.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>How long a step may take. Default two minutes.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a failing history is made shorter. Default one minute.</summary>
    public TimeSpan ShrinkLimit { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Runs histories until there were so many operations, or the time is over, or one fails.</summary>
    /// <param name="seed">The seed of all histories; below 2^48.</param>
    /// <param name="operations">How many operations; every history that was begun is run to its end.</param>
    /// <param name="time">For how long histories are begun.</param>
    /// <param name="progress">Told now and then how many operations there were; null for nobody.</param>
    /// <returns>What was done.</returns>
    public ModelFigures Run(ulong seed, long operations, TimeSpan time, Action<long>? progress = null)
    {
        var watch = Stopwatch.StartNew();
        var state = new State(seed, operations, time, watch);
        var workers = new Worker[Math.Max(1, Threads)];
        for (var i = 0; i < workers.Length; i++)
        {
            var worker = workers[i] = new Worker();
            worker.Thread = new Thread(() => Work(worker, state)) { IsBackground = true, Name = $"model {i}" };
            worker.Thread.Start();
        }

        Watch(workers, state, progress);
        var (figures, failed) = state.Result();
        return failed is null ? figures with { Elapsed = watch.Elapsed } : figures with { Elapsed = watch.Elapsed, Failure = Shorten(failed) };
    }

    /// <summary>Runs one history again.</summary>
    /// <param name="replay">What <see cref="ModelFailure.Replay"/> says: a seed, and the steps, or all of them.</param>
    /// <param name="trace">Told each step in words; null for nobody.</param>
    /// <returns>What was wrong, or null.</returns>
    /// <exception cref="FormatException">The text is no replay.</exception>
    public string? Replay(string replay, Action<string>? trace = null)
    {
        ArgumentNullException.ThrowIfNull(replay);
        var parts = replay.Split(':', 2);
        var shape = ModelShape.Of(Seeds.Parse(parts[0]) ?? throw new FormatException($"'{replay}' has no seed."));
        return Attempt(shape, parts.Length == 2 ? StepList.Parse(parts[1]) : AllSteps(shape.Steps), trace);
    }

    private static int[] AllSteps(int count) => [.. Enumerable.Range(0, count)];

    private void Work(Worker worker, State state)
    {
        while (state.TryBegin(out var seed))
        {
            var shape = ModelShape.Of(seed);
            var done = 0;
            FileModel? model = null;
            try
            {
                model = new FileModel(shape, open(shape));
                worker.Begin(shape, model);
                for (; done < shape.Steps; done++)
                {
                    Complete(model.StepAsync(done));
                }

                model.FinishAsync().GetAwaiter().GetResult();
                state.Add(model);
            }
            catch (Exception error)
            {
                state.Fail(new Failed(shape, Math.Min(done + 1, shape.Steps), error.ToString()));
            }
            finally
            {
                worker.End();
                Close(model);
            }
        }
    }

    private void Watch(Worker[] workers, State state, Action<long>? progress)
    {
        for (var told = 0L; !Array.TrueForAll(workers, static worker => worker.Thread!.Join(TimeSpan.FromMilliseconds(50)));)
        {
            if (Array.Find(workers, worker => worker.Thread!.IsAlive && worker.Stands > Patience) is { } hanging)
            {
                state.Fail(new Failed(hanging.Shape!, (int)hanging.Steps + 1, $"Step {hanging.Steps} does not end. {hanging.Shape}"));
                return;
            }

            if (progress is not null && Environment.TickCount64 - told > 2000)
            {
                told = Environment.TickCount64;
                progress(state.Operations + workers.Sum(static worker => worker.Steps));
            }
        }
    }

    private ModelFailure Shorten(Failed failed)
    {
        var (steps, message, isShrunk) = ((IReadOnlyList<int>)AllSteps(failed.Steps), failed.Message, false);
        var tries = failed.Shape.WritesInBackground || failed.Shape.Yields ? Tries : 1;
        bool Fails(IReadOnlyList<int> some)
        {
            for (var i = 0; i < tries; i++)
            {
                if (Attempt(failed.Shape, some, trace: null) is not null)
                {
                    return true;
                }
            }

            return false;
        }

        List<string> story = [];
        if (Fails(steps))
        {
            isShrunk = true;
            steps = Shrinker.Shrink(steps, Fails, ShrinkLimit);
            for (var i = 0; i < tries; i++)
            {
                story.Clear();
                if (Attempt(failed.Shape, steps, story.Add) is { } again)
                {
                    message = again;
                    break;
                }
            }
        }

        var replay = string.Create(CultureInfo.InvariantCulture, $"0x{failed.Shape.Seed:x}:{StepList.Format(steps)}");
        return new ModelFailure(message, replay, story, isShrunk);
    }

    private string? Attempt(ModelShape shape, IReadOnlyList<int> steps, Action<string>? trace)
    {
        // On a thread of its own: a step that hangs is found to, and left.
        string? failure = "The history does not end.";
        var thread = new Thread(() => failure = Try(shape, steps, trace)) { IsBackground = true };
        thread.Start();
        return thread.Join(Patience + TimeSpan.FromMilliseconds(10 * steps.Count)) ? failure : "The history does not end.";
    }

    private string? Try(ModelShape shape, IReadOnlyList<int> steps, Action<string>? trace)
    {
        FileModel? model = null;
        try
        {
            model = new FileModel(shape, open(shape)) { Trace = trace };
            foreach (var step in steps)
            {
                Complete(model.StepAsync(step));
            }

            model.FinishAsync().GetAwaiter().GetResult();
            return null;
        }
        catch (Exception error)
        {
            return error.ToString();
        }
        finally
        {
            Close(model);
        }
    }

    private static void Close(FileModel? model)
    {
        try
        {
            model?.Dispose();
        }
        catch (Exception)
        {
            // The first failure is the one to tell.
        }
    }

    private static void Complete(ValueTask step)
    {
        if (step.IsCompletedSuccessfully)
        {
            step.GetAwaiter().GetResult();
        }
        else
        {
            step.AsTask().GetAwaiter().GetResult();
        }
    }

    private sealed record Failed(ModelShape Shape, int Steps, string Message);

    /// <summary>A thread, and the history that it is in. The one who looks for those that hang reads what may be a moment old.</summary>
    private sealed class Worker
    {
        private volatile FileModel? _model;
        private long _seen = -1;
        private long _since;

        public Thread? Thread { get; set; }

        public ModelShape? Shape { get; private set; }

        public long Steps => _model?.Steps ?? 0;

        /// <summary>For how long no step has ended. Asked by one thread.</summary>
        public TimeSpan Stands
        {
            get
            {
                if (_model is not { } model || model.Steps != _seen)
                {
                    (_seen, _since) = (Steps, Environment.TickCount64);
                }

                return TimeSpan.FromMilliseconds(Environment.TickCount64 - _since);
            }
        }

        public void Begin(ModelShape shape, FileModel model) => (Shape, _model) = (shape, model);

        public void End() => _model = null;
    }

    /// <summary>What all threads share: which history comes next, what was done, and the first failure.</summary>
    private sealed class State(ulong seed, long operations, TimeSpan time, Stopwatch watch)
    {
        private readonly Lock _lock = new();
        private readonly long[] _chosen = new long[Enum.GetValues<ModelOperation>().Length];
        private ModelFigures _figures = new() { Seed = seed };
        private Failed? _failed;
        private ulong _next;
        private long _begun;

        public long Operations
        {
            get
            {
                lock (_lock)
                {
                    return _figures.Operations;
                }
            }
        }

        public bool TryBegin(out ulong history)
        {
            lock (_lock)
            {
                history = Dice.Mix(seed, _next++) >> 16;
                var begins = _failed is null && (_begun == 0 || (_begun < operations && watch.Elapsed < time));
                _begun += begins ? ModelShape.Of(history).Steps : 0;
                return begins;
            }
        }

        public void Add(FileModel model)
        {
            lock (_lock)
            {
                for (var i = 0; i < _chosen.Length; i++)
                {
                    _chosen[i] += model.Chosen[i];
                }

                _figures = _figures with
                {
                    Operations = _figures.Operations + model.Steps,
                    Histories = _figures.Histories + 1,
                    BytesCompared = _figures.BytesCompared + model.BytesCompared,
                    Refusals = _figures.Refusals + model.Refusals,
                    Verifications = _figures.Verifications + model.Verifications,
                };
            }
        }

        public void Fail(Failed failed)
        {
            lock (_lock)
            {
                _failed ??= failed;
            }
        }

        public (ModelFigures Figures, Failed? Failed) Result()
        {
            lock (_lock)
            {
                return (_figures with { Chosen = _chosen.Index().ToDictionary(static pair => (ModelOperation)pair.Index, static pair => pair.Item) }, _failed);
            }
        }
    }
}
