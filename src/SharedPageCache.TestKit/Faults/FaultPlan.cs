using System.Diagnostics;
using SharedPageCache.TestKit.Runs;

namespace SharedPageCache.TestKit.Faults;

/// <summary>
/// Which calls of an engine or a device fail in one run, and how: the n-th one, once or it and all after it, or one in so
/// many at random. Give it to a <see cref="FaultyDevice"/>, and let an engine ask it at the beginning of each port and hook.
/// </summary>
/// <remarks>Thread-safe. Calls are counted in the order in which they come.</remarks>
[DebuggerDisplay("{ToString(),nq}")]
public sealed class FaultPlan
{
    private static readonly AsyncLocal<bool> _isSpared = new();

    private readonly long _at;
    private readonly bool _forever;
    private readonly int _oneIn;
    private readonly FaultKind[] _kinds;
    private readonly Dice? _dice;
    private readonly Lock _lock = new();
    private long _calls;
    private long _struck;
    private bool _isHealed;
    private string? _first;

    private FaultPlan(long at, bool forever, int oneIn, Dice? dice, FaultKind[] kinds) =>
        (_at, _forever, _oneIn, _dice, _kinds) = (at, forever, oneIn, dice, kinds);

    /// <summary>Nothing fails; calls are counted.</summary>
    public static FaultPlan None => AtCall(0, forever: false);

    /// <summary>Called when a token is to fire: cancel what is under way.</summary>
    public Action? Cancel { get; set; }

    /// <summary>Calls so far that count.</summary>
    public long Calls => Interlocked.Read(ref _calls);

    /// <summary>Faults so far.</summary>
    public long Struck => Interlocked.Read(ref _struck);

    /// <summary>The call that failed first, or null.</summary>
    public string? First => Volatile.Read(ref _first);

    /// <summary>Whether faults may still strike.</summary>
    public bool IsArmed => !Volatile.Read(ref _isHealed);

    /// <summary>What goes wrong; the first of several.</summary>
    public FaultKind Kind => _kinds[0];

    /// <summary>The n-th call fails.</summary>
    /// <param name="at">Which, counted from 1; 0 for none.</param>
    /// <param name="forever">Whether all calls after it fail too.</param>
    /// <param name="kind">How.</param>
    /// <returns>The plan.</returns>
    public static FaultPlan AtCall(long at, bool forever, FaultKind kind = FaultKind.Throws) => new(at, forever, 0, null, [kind]);

    /// <summary>One call in so many fails.</summary>
    /// <param name="seed">Which.</param>
    /// <param name="oneIn">In how many.</param>
    /// <param name="kinds">How: one of these each time.</param>
    /// <returns>The plan.</returns>
    public static FaultPlan Random(ulong seed, int oneIn, params FaultKind[] kinds)
    {
        ArgumentNullException.ThrowIfNull(kinds);
        ArgumentOutOfRangeException.ThrowIfZero(kinds.Length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(oneIn);
        return new FaultPlan(0, forever: false, oneIn, new Dice(seed), [.. kinds]);
    }

    /// <summary>From now on nothing fails.</summary>
    public void Heal() => Volatile.Write(ref _isHealed, true);

    /// <summary>Faults may strike again, by the same plan.</summary>
    public void Arm() => Volatile.Write(ref _isHealed, false);

    /// <summary>Until the result is disposed, calls of this flow (the tasks that it begins too) are not counted and do not fail.</summary>
    /// <returns>What ends it.</returns>
    public static IDisposable Spare() => new Spared();

    /// <summary>A call of an engine: throws if it is to fail.</summary>
    /// <param name="call">Its name.</param>
    /// <exception cref="InjectedFaultException">It fails.</exception>
    /// <exception cref="OperationCanceledException">It fails by cancelling itself.</exception>
    public void Call(string call)
    {
        if (Strike(call) is { } kind)
        {
            Throw(call, kind);
        }
    }

    /// <summary>A call that can fail in more ways than by throwing.</summary>
    /// <param name="call">Its name.</param>
    /// <returns>How it is to fail, or null. (<see cref="FaultKind.TokenFires"/> is done already.)</returns>
    public FaultKind? Strike(string call)
    {
        if (_isSpared.Value || !IsArmed)
        {
            return null;
        }

        FaultKind kind;
        lock (_lock)
        {
            var number = ++_calls;
            var strikes = _dice is not null ? _dice.OneIn(_oneIn) : _at > 0 && (number == _at || (_forever && number > _at));
            if (!strikes)
            {
                return null;
            }

            kind = _dice is null ? _kinds[0] : _dice.Pick<FaultKind>(_kinds);
            _struck++;
            _first ??= call;
        }

        if (kind != FaultKind.TokenFires)
        {
            return kind;
        }

        Cancel?.Invoke();
        return null;
    }

    /// <inheritdoc/>
    public override string ToString() => _dice is not null
        ? $"one call in {_oneIn} {string.Join(" or ", _kinds)}"
        : _at == 0 ? "no fault" : $"call {_at}{(First is { } first ? $" ({first})" : "")} {_kinds[0]}{(_forever ? " and all after it" : "")}";

    internal static void Throw(string call, FaultKind kind) => throw (kind == FaultKind.CancelsItself
        ? new OperationCanceledException($"{call} cancels itself.")
        : new InjectedFaultException(call, kind == FaultKind.NoSpace));

    private sealed class Spared : IDisposable
    {
        private readonly bool _before = _isSpared.Value;

        public Spared() => _isSpared.Value = true;

        public void Dispose() => _isSpared.Value = _before;
    }
}
