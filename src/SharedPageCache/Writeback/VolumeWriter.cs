using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache.Writeback;

/// <summary>
/// The write-back of one volume: flushes on demand, a writer in the background, and the place where writers wait who have
/// made too many pages dirty.
/// </summary>
/// <remarks>
/// <para>
/// <b>One batch at a time</b>, in order of arrival (<see cref="WritebackBatch"/> says why). A flush writes what was dirty
/// when its turn came, so all that was written before it was called. It asks again what is dirty until nothing is left that
/// it owes: a page may have moved to another frame between the question and the freeze (see <see cref="DirtyPages"/>).
/// </para>
/// <para>
/// <b>Persist.</b> Every publication and every hook owes a persist. Who flushes takes the debt, calls the engine, and owes
/// again if it fails: a failed persist is repeated by every later flush, even if no page is dirty.
/// </para>
/// <para>
/// <b>Errors in the background</b> are noted with every file that shows the page and told by its next flush. A writer that
/// waits for room hears of them only when a whole round has begun and ended since it came, and not one page got clean.
/// </para>
/// </remarks>
internal sealed partial class VolumeWriter : IVolumeWriter
{
    /// <summary>Pages of one batch.</summary>
    private const int BatchPages = 1024;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly VolumeMap _volume;
    private readonly WritebackServices _services;
    private readonly WritebackLimits _limits;
    private readonly TimeProvider _time;
    private readonly DirtyTotal _total;
    private readonly Permits _turn = new(1);
    private readonly Turnstile _rooms = new();
    private readonly Signal _wake = new();
    private long _roundsBegun;
    private long _barrenRound;
    private CacheWritebackException? _lastError;
    private int _isRunning;
    private int _waiters;
    private int _leftLingering;

    public VolumeWriter(VolumeMap volume, WritebackServices services, WritebackLimits limits, TimeProvider time, DirtyTotal total)
    {
        total.AddVolumes(1);
        _total = total;
        _pace = new WriterPace(Math.Min(BatchPages, limits.Most));
        _volume = volume;
        _services = services;
        _limits = limits;
        _time = time;
    }

    public WritebackLimits Limits => _limits;

    public void Noted()
    {
        if (_volume.IsDetached)
        {
            // Who detached it may have looked before the page was listed (both under the list's lock: one sees the other).
            _services.Sink.DropDirty(_volume);
            return;
        }

        if (Atomic.LoadAcquire(ref _isRunning) == 0 && Atomic.Exchange(ref _isRunning, 1) == 0)
        {
            _ = Task.Run(RunAsync);
        }

        if (IsMuch)
        {
            _wake.Set();
        }
    }

    public long Begin() => Atomic.LoadAcquire(ref _roundsBegun);

    public async Task WaitAsync(FileMapping file, long since, CancellationToken cancellationToken)
    {
        EngineCode.ThrowIfInPort(_volume, 0, "A write that has to wait for room");
        Atomic.Increment(ref _waiters);
        try
        {
            // Counted in before the writer is woken, so that what it makes free is not missed.
            var pulse = _rooms.WaitAsync(cancellationToken);
            Noted();
            _wake.Set();
            await pulse.ConfigureAwait(false);
        }
        finally
        {
            Atomic.Decrement(ref _waiters);
        }

        if (Atomic.LoadAcquire(ref _barrenRound) > since && Atomic.LoadAcquire(ref _lastError) is { } error)
        {
            // Whose pages they are does not concern who waits.
            var cause = error.InnerException ?? error;
            throw new CacheWritebackException(
                file.Id, file.Name, -1, 0, error.Step, $"a write to {file.Name ?? file.Id.ToString()} waits for room, and every dirty page of the volume has failed: {cause.Message}", cause);
        }
    }

    /// <summary>Makes dirty pages durable, and all that the engine was told about them.</summary>
    /// <param name="collect">Gives the dirty frames that are asked for, as references.</param>
    /// <param name="cancellationToken">Cancels the waits before a device write.</param>
    /// <param name="then">What is done after that, before any other write-back of the volume begins; not if pages have failed.</param>
    /// <param name="file">The file that is flushed, if it is one: failures are told in its terms.</param>
    /// <returns>Why pages have failed; empty if everything is durable.</returns>
    /// <exception cref="ObjectDisposedException">The volume is detached.</exception>
    public async Task<List<CacheWritebackException>> FlushAsync(
        Func<List<PageReference>> collect, CancellationToken cancellationToken, Func<Task>? then = null, FileMapping? file = null)
    {
        var failures = new List<CacheWritebackException>();
        EngineCode.ThrowIfInPort(_volume, 0, "FlushAsync");
        await _turn.TakeAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var round = _volume.Dirty.BeginRound();
            var tried = new HashSet<PageReference>();
            while (Owed(collect(), round, tried) is { Count: > 0 } owed)
            {
                await WriteAsync(owed, failures, file, isBackground: false, cancellationToken).ConfigureAwait(false);
            }

            await PersistAsync(failures, cancellationToken).ConfigureAwait(false);
            if (failures.Count == 0 && _volume.IsDetached)
            {
                // What was dirty went with the volume. Who finds it attached here has published all that it owed: a publication and the
                // end of the volume exclude each other by the binding lock.
                throw new ObjectDisposedException(_volume.Name, "The volume was detached before its pages were durable.");
            }

            if (then is not null && failures.Count == 0)
            {
                await then().ConfigureAwait(false);
            }
        }
        finally
        {
            RetireLingering(Atomic.LoadAcquire(ref _leftLingering));
            _turn.Give();
            _rooms.Pulse();
        }

        return failures;
    }

    /// <summary>Does something to the volume's blocks while no batch is under way.</summary>
    public async Task InTurnAsync(Func<Task> act, CancellationToken cancellationToken)
    {
        EngineCode.ThrowIfInPort(_volume, 0, "What waits for the write-backs of a volume");
        await _turn.TakeAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await act().ConfigureAwait(false);
        }
        finally
        {
            _turn.Give();
            _rooms.Pulse();
        }
    }

    /// <summary>Does something to the volume's blocks at once, if no batch is under way.</summary>
    /// <returns>Whether it was done.</returns>
    public bool TryInTurn(Action act)
    {
        if (!_turn.TryTake())
        {
            return false;
        }

        try
        {
            act();
            return true;
        }
        finally
        {
            _turn.Give();
            _rooms.Pulse();
        }
    }

    public void Stop()
    {
        _total.AddVolumes(-1);
        _wake.Set();
    }

    /// <summary>What a flush has to write and has not tried: all but what was first written after it began.</summary>
    private List<int> Owed(List<PageReference> dirty, long round, HashSet<PageReference> tried) =>
        dirty.FindAll(page =>
            !(_volume.Dirty.TryGet(page.Frame, out var entry) && entry.Generation == page.Generation && entry.Round >= round)
            && tried.Add(page)).ConvertAll(static page => page.Frame);

    private async Task<int> WriteAsync(
        List<int> frames, List<CacheWritebackException> failures, FileMapping? flushed, bool isBackground, CancellationToken cancellationToken)
    {
        var settled = 0;
        foreach (var chunk in frames.Chunk(BatchPages))
        {
            var batch = new WritebackBatch(_volume, _services, flushed, tellsFiles: isBackground);
            await batch.RunAsync(chunk, cancellationToken).ConfigureAwait(false);
            failures.AddRange(batch.Failures);
            settled += batch.Settled;
            _rooms.Pulse();
        }

        return settled;
    }

    private async Task PersistAsync(List<CacheWritebackException> failures, CancellationToken cancellationToken)
    {
        if (!_volume.TakePersist())
        {
            return;
        }

        var isPaid = false;
        try
        {
            await EngineCode.CallAsync(
                _volume, 0, $"{nameof(IPlacementEngine)}.{nameof(IPlacementEngine.PersistAsync)}",
                () => _volume.Placement!.PersistAsync(cancellationToken)).ConfigureAwait(false);
            isPaid = true;
        }
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            failures.Add(new CacheWritebackException(FileId.None, _volume.Name, -1, 0, "Persist", error.Message, error));
        }
        finally
        {
            if (!isPaid)
            {
                _volume.OwePersist();
            }
        }
    }

    /// <summary>The background writer. Ends when the volume is detached.</summary>
    private async Task RunAsync()
    {
        EngineCode.BeginFlow();
        var longest = TimeSpan.FromTicks(Math.Max(_limits.Age.Ticks / 4, TimeSpan.TicksPerMillisecond));
        while (!_volume.IsDetached)
        {
            await _wake.WaitAsync(longest, _time).ConfigureAwait(false);
            if ((_volume.Dirty.Count > 0 || _volume.LingeringFiles > 0) && !_volume.IsDetached)
            {
                await RoundAsync().ConfigureAwait(false);
            }
        }
    }

    private async Task RoundAsync()
    {
        var round = Atomic.Add(ref _roundsBegun, 1);
        var failures = new List<CacheWritebackException>();
        var settled = 0;
        await _turn.TakeAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            var due = Due();
            if (due.Count == 0)
            {
                return;
            }

            settled = await WriteAsync(due, failures, flushed: null, isBackground: true, CancellationToken.None).ConfigureAwait(false);
            await PersistAsync(failures, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            RetireLingering(failures.Count > 0 ? int.MaxValue : Atomic.LoadAcquire(ref _leftLingering));
            _turn.Give();
        }

        if (settled == 0 && failures.Count > 0)
        {
            Atomic.StoreRelease(ref _lastError, failures[0]);
            Atomic.StoreRelease(ref _barrenRound, round);
        }

        if (failures.Count > 0)
        {
            Atomic.StoreRelease(ref _failedRound, round);
        }

        _rooms.Pulse();
        if (failures.Count > 0)
        {
            // A failing device is not asked without end.
            await Task.Delay(Pause, _time).ConfigureAwait(false);
        }
    }

    /// <summary>Closed files go that have nothing dirty any more. In the turn.</summary>
    /// <param name="mostLeft">How many of those that stay are known to fail: they alone are no reason for a round.</param>
    private void RetireLingering(int mostLeft)
    {
        _volume.RetireLingering();
        Atomic.StoreRelease(ref _leftLingering, Math.Min(mostLeft, _volume.LingeringFiles));
    }

    /// <summary>What the background writer takes: everything when there is much or somebody waits, else what is old.</summary>
    private List<int> Due()
    {
        var all = _volume.Dirty.All();
        if (!IsMuch && Atomic.LoadAcquire(ref _waiters) == 0)
        {
            all.RemoveAll(entry => _time.GetElapsedTime(entry.Value.Since) < _limits.Age);
        }

        return all.ConvertAll(static entry => entry.Key);
    }
}
