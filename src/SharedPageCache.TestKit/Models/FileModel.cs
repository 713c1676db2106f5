using System.Diagnostics;
using System.Globalization;
using SharedPageCache.TestKit.Runs;
using SharedPageCache.TestKit.Words;

namespace SharedPageCache.TestKit.Models;

/// <summary>
/// One random history of several files of a cache, with byte arrays as the oracle: whatever is written, cloned, cut, merged, moved and
/// flushed in whatever order, each file shows what it must.
/// </summary>
/// <remarks>
/// <para>
/// It checks, after every step what the step touched and at the end everything: nothing is lost (I1: each byte that was
/// written can be read, and is durable once it was flushed), nothing is stale (I2: no byte from before a write, and zeros where a
/// file was cut, punched or made longer), nobody sees another's bytes (I3) or half a write (I4: each word names its write and its
/// place, so a wrong byte says where it came from), what is leased or cloned is frozen (I5), the cache agrees with itself (I6:
/// <see cref="PageCache.Verify"/> every <see cref="StepsBetweenVerify"/> steps and at the end, and nothing is left of it when it is
/// disposed), and what is refused is refused with the documented exception and has changed nothing (I8). That it makes progress (I7)
/// is for who runs it: see <see cref="ModelRun"/>.
/// </para>
/// <para>
/// A step draws all that it needs from its own number and the seed, and chooses among what is there: so steps can be left out, and the
/// rest still means something (<see cref="Shrinker"/>). Not thread-safe: one flow.
/// </para>
/// </remarks>
[DebuggerDisplay("{_shape}, step {_step}: {_doing}")]
public sealed partial class FileModel : IDisposable
{
    /// <summary>How many steps the cache is used before it checks itself.</summary>
    public const int StepsBetweenVerify = 500;

    /// <summary>Of a larger file only what has changed, and a sample, is compared with what is durable.</summary>
    private const int AllIsCompared = 16 << 10;

    /// <summary>
    /// Where the writer in the background has nothing to do before a write waits for room, most writes find room that was made by a
    /// flush: to wait for another thread takes longer than all else.
    /// </summary>
    private const int WritesThatWaitForRoomOneIn = 16;

    private const int PatienceMilliseconds = 20_000;

    private static readonly ModelOperation[] Chances = Spread(
        (ModelOperation.Read, 230), (ModelOperation.Write, 220), (ModelOperation.WriteAround, 12), (ModelOperation.Clone, 70),
        (ModelOperation.CloneRange, 60), (ModelOperation.Dedupe, 20), (ModelOperation.SetLength, 45), (ModelOperation.PunchHole, 35),
        (ModelOperation.ZeroRange, 25), (ModelOperation.FlushRange, 20), (ModelOperation.FlushFile, 15), (ModelOperation.FlushVolume, 8),
        (ModelOperation.Evict, 6), (ModelOperation.Prefetch, 10), (ModelOperation.Close, 25), (ModelOperation.Reopen, 25),
        (ModelOperation.Handle, 20), (ModelOperation.Delete, 22), (ModelOperation.Create, 10), (ModelOperation.Lease, 30),
        (ModelOperation.Release, 30), (ModelOperation.WriteUnderLease, 25), (ModelOperation.LeaseForWrite, 30), (ModelOperation.Merge, 15),
        (ModelOperation.Diff, 15), (ModelOperation.Discard, 10), (ModelOperation.Relocate, 20), (ModelOperation.Invalidate, 10));

    private const int SealsOneIn = 60;

    private readonly ModelShape _shape;
    private readonly ModelledVolume _volume;
    private readonly int _page;
    private readonly int _longest;
    private readonly List<ModelledFile> _files = [];
    private readonly List<ModelledFile> _closed = [];
    private readonly List<HeldLease> _held = [];
    private readonly List<IExtentMap> _moved = [];
    private readonly byte[] _read;
    private readonly byte[] _written;
    private readonly MappedFile _filler;
    private Dice _dice;
    private Doing _doing;
    private int _step;
    private int _lastNumber;
    private long _lastWrite;

    /// <summary>Begins a history: makes the first two files.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="volume">What it works on; disposed with it.</param>
    public FileModel(ModelShape shape, ModelledVolume volume)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(volume);
        (_shape, _volume, _page, _longest) = (shape, volume, shape.PageSize, shape.LongestFile);
        _dice = new Dice(shape.Seed);
        _read = new byte[_longest + (4 * _page)];
        _written = new byte[4 * _page];
        _filler = OpenFiller();
        Create();
        Create();
    }

    /// <summary>Steps done.</summary>
    public long Steps { get; private set; }

    /// <summary>How often each <see cref="ModelOperation"/> was chosen, in the order of the enumeration.</summary>
    public IReadOnlyList<long> Chosen => _chosen;

    /// <summary>Bytes compared with what they must be.</summary>
    public long BytesCompared { get; private set; }

    /// <summary>Operations that were to be refused, and were.</summary>
    public long Refusals { get; private set; }

    /// <summary>How often the cache has checked itself.</summary>
    public long Verifications { get; private set; }

    /// <summary>Called with each step in words, for a report; null for none.</summary>
    public Action<string>? Trace { get; set; }

    private readonly long[] _chosen = new long[Enum.GetValues<ModelOperation>().Length];

    private CachedVolume Volume => _volume.Volume;

    /// <summary>Does a step.</summary>
    /// <param name="number">Its number: what it does follows from this, the seed, and what is there.</param>
    /// <exception cref="ModelFailureException">Something is wrong. The model is of no more use but to be disposed.</exception>
    public async ValueTask StepAsync(int number)
    {
        _step = number;
        _dice = new Dice(Dice.Mix(_shape.Seed, (ulong)number));
        var operation = Chances[_dice.Below(Chances.Length)];
        operation = _shape.Seals && _dice.OneIn(SealsOneIn) ? ModelOperation.Seal : operation;
        _chosen[(int)operation]++;
        var file = _files[_dice.Below(_files.Count)];
        for (var again = 0; again < 4 && file.IsSealed && MayChange(operation) && !_dice.OneIn(8); again++)
        {
            // What is refused teaches little.
            file = Any();
        }

        _doing = new Doing(operation, file, 0, 0);
        try
        {
            if (!_shape.WritesInBackground && MayWrite(operation) && !_dice.OneIn(WritesThatWaitForRoomOneIn))
            {
                await MakeRoomAsync().ConfigureAwait(false);
            }

            if (file.IsSealed && MayChange(operation))
            {
                await TryInVainAsync(operation, file).ConfigureAwait(false);
            }
            else
            {
                await DoAsync(operation, file).ConfigureAwait(false);
            }

            if (++Steps % StepsBetweenVerify == 0)
            {
                Verify();
            }
        }
        catch (Exception error) when (error is not ModelFailureException)
        {
            throw Failure($"{error.GetType().Name}: {error.Message}", error);
        }

        Trace?.Invoke($"{number}: {_doing}");
    }

    /// <summary>The end of the history: everything is flushed, compared, closed and disposed.</summary>
    /// <exception cref="ModelFailureException">Something is wrong.</exception>
    public async Task FinishAsync()
    {
        _step = int.MaxValue;
        _doing = new Doing(null, _files[0], 0, 0);
        try
        {
            _held.ForEach(Release);
            _held.Clear();
            await FlushVolumeAsync().ConfigureAwait(false);
            Require(_volume.Cache.GetStatistics().DirtyBytes == 0, "bytes are dirty after a flush of the volume");
            Require(_volume.FaultAtRest() is null, _volume.FaultAtRest() ?? "");
            foreach (var file in _files)
            {
                await CheckAsync(file, 0, _longest + 1).ConfigureAwait(false);
                file.IsDurable();
                file.Changes(0, long.MaxValue);
                RequireDurable(file);
            }

            Verify();
            _files.ForEach(static file => file.Handles.ForEach(static handle => handle.Dispose()));
            _filler.Dispose();
            await Volume.FlushAsync().ConfigureAwait(false);
            Require(_volume.Cache.GetStatistics().OpenFiles == 0, "files are open that were closed");
            Verify();
            _volume.Cache.Dispose();

            // A load that is under way ends by itself.
            Require(
                SpinWait.SpinUntil(() => _volume.Cache.GetStatistics().ResidentBytes == 0, PatienceMilliseconds),
                "bytes are resident in a cache that is disposed");
            Verify();
        }
        catch (Exception error) when (error is not ModelFailureException)
        {
            throw Failure($"{error.GetType().Name}: {error.Message}", error);
        }
    }

    /// <summary>Disposes the volume.</summary>
    public void Dispose() => _volume.Dispose();

    private ValueTask DoAsync(ModelOperation operation, ModelledFile file) => operation switch
    {
        ModelOperation.Read => ReadAsync(file),
        ModelOperation.Write => WriteAsync(file),
        ModelOperation.WriteAround => WriteAroundAsync(file),
        ModelOperation.Clone when _files.Count < _shape.MostFiles => CloneAsync(file),
        ModelOperation.CloneRange => CloneRangeAsync(Any(), file),
        ModelOperation.Dedupe => DedupeAsync(Any(), file),
        ModelOperation.SetLength => SetLengthAsync(file, _dice.Below(_longest + 1)),
        ModelOperation.PunchHole => ZeroAsync(file, grows: false),
        ModelOperation.ZeroRange => ZeroAsync(file, grows: true),
        ModelOperation.FlushRange => FlushRangeAsync(file),
        ModelOperation.FlushFile => FlushFileAsync(file),
        ModelOperation.FlushVolume => FlushVolumeAsync(),
        ModelOperation.Evict => EvictAsync(),
        ModelOperation.Prefetch => PrefetchAsync(file),
        ModelOperation.Close when _files.Count > 2 => CloseAsync(file),
        ModelOperation.Reopen => ReopenAsync(file),
        ModelOperation.Handle => HandleAsync(file),
        ModelOperation.Delete when _files.Count > 2 => DeleteAsync(file),
        ModelOperation.Create when _files.Count < _shape.MostFiles => CreateAsync(),
        ModelOperation.Lease => LeaseAsync(file),
        ModelOperation.Release => ReleaseAsync(),
        ModelOperation.WriteUnderLease when file.Length > 0 => WriteUnderLeaseAsync(file),
        ModelOperation.LeaseForWrite when file.Length > 0 => LeaseForWriteAsync(file),
        ModelOperation.Merge => MergeAsync(file),
        ModelOperation.Diff => DiffAsync(file, Any()),
        ModelOperation.Discard => DiscardAsync(),
        ModelOperation.Relocate => RelocateAsync(),
        ModelOperation.Invalidate => InvalidateAsync(file),
        ModelOperation.Seal => SealAsync(file),
        _ => ReadAsync(file),
    };

    private static ModelOperation[] Spread(params ReadOnlySpan<(ModelOperation Operation, int Chances)> all)
    {
        var spread = new List<ModelOperation>();
        foreach (var (operation, chances) in all)
        {
            spread.AddRange(Enumerable.Repeat(operation, chances));
        }

        return [.. spread];
    }

    private static bool MayWrite(ModelOperation operation) => operation
        is ModelOperation.Write or ModelOperation.WriteUnderLease or ModelOperation.LeaseForWrite or ModelOperation.CloneRange
        or ModelOperation.Dedupe or ModelOperation.SetLength or ModelOperation.PunchHole or ModelOperation.ZeroRange;

    private static bool MayChange(ModelOperation operation) => MayWrite(operation) || operation is ModelOperation.WriteAround or ModelOperation.Merge;

    private ModelledFile Any() => _files[_dice.Below(_files.Count)];

    private MappedFile HandleOf(ModelledFile file) => file.Handles[file.Handles.Count == 1 ? 0 : _dice.Below(file.Handles.Count)];

    private void Verify()
    {
        _volume.Cache.Verify();
        Verifications++;
    }

    /// <summary>Reads a range in one way or another, and compares.</summary>
    private async ValueTask CheckAsync(ModelledFile file, long offset, int count)
    {
        var (handle, read) = (HandleOf(file), 0);
        count = Math.Min(count, _read.Length);
        switch (_dice.Below(8))
        {
            case 0:
                read = await handle.ReadAsync(offset, _read.AsMemory(0, count)).ConfigureAwait(false);
                break;
            case 1 when handle.TryRead(offset, _read.AsSpan(0, count), out read):
                break;
            default:
                read = handle.Read(offset, _read.AsSpan(0, count));
                break;
        }

        Compare(file, offset, count, _read.AsSpan(0, read), "is read");
    }

    private void Compare(ModelledFile file, long offset, long count, ReadOnlySpan<byte> actual, string what)
    {
        var expected = file.Content.Part(offset, count);
        BytesCompared += actual.Length;
        if (!expected.SequenceEqual(actual))
        {
            throw Failure($"{Difference(offset, expected, actual)} of file {file.Number} {what}");
        }
    }

    /// <summary>Where two runs of bytes of a file differ, and which write each word is of.</summary>
    private string Difference(long offset, ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        if (expected.Length != actual.Length)
        {
            return $"{actual.Length} bytes at {offset}, where there are {expected.Length},";
        }

        var wrong = actual.CommonPrefixLength(expected);
        var at = Math.Max(0, (int)((offset + wrong) / 8 * 8 - offset));
        var words = at + 8 <= actual.Length
            ? $"{Word.Explain(BitConverter.ToUInt64(actual[at..]))}, and not {Word.Explain(BitConverter.ToUInt64(expected[at..]))},"
            : $"{actual[wrong]:x2}, and not {expected[wrong]:x2},";
        return $"byte {offset + wrong} (page {(offset + wrong) / _page}, {(offset + wrong) % _page} in it), of {words}";
    }

    private void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw Failure(message);
        }
    }

    private ModelFailureException Failure(string message, Exception? cause = null) => new(
        string.Create(CultureInfo.InvariantCulture, $"{(_doing.Operation is null ? "the end" : $"step {_step} ({_doing})")}: {message}{Environment.NewLine}{_shape}"), cause);

    /// <summary>What the step does, for messages: made into words only if something is wrong.</summary>
    private readonly record struct Doing(ModelOperation? Operation, ModelledFile File, long Offset, long Count, ModelledFile? Other = null, long OtherOffset = 0)
    {
        public override string ToString() => Operation is null ? "the end" : string.Create(
            CultureInfo.InvariantCulture,
            $"{Operation}, file {File.Number} of {File.Length} bytes, {Count} at {Offset}{(Other is null ? "" : $", with file {Other.Number} of {Other.Length} bytes at {OtherOffset}")}");
    }
}
