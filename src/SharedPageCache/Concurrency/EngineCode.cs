using System.Runtime.CompilerServices;

namespace SharedPageCache.Concurrency;

/// <summary>
/// Knows which code of the engine the calling thread or flow is inside of, so that a call from there which would wait for
/// itself is refused and does not hang.
/// </summary>
/// <remarks>
/// <para>
/// <b>Callbacks</b> run under locks, on one thread, without a wait: a word of the thread says which, nothing else needs to
/// be looked at. It is set around callbacks and read where a lock of a file or a volume would be taken, never by a hit.
/// A callback that has another thread call the cache, and waits for it, is not found out.
/// </para>
/// <para>
/// <b>Ports</b> do I/O and await, and hold no lock; but write-back, or a page's writer, waits for them. So the flow
/// carries what it is inside of (an <see cref="AsyncLocal{T}"/>, set once a port call), read only by who is about to wait. What a port has
/// begun and not awaited carries it too; it counts only until the port has returned.
/// </para>
/// <para>Both words are the thread's or the flow's own; the flag that ends a port call is stored with release by who ends it.</para>
/// </remarks>
internal static class EngineCode
{
    private static readonly AsyncLocal<PortCall?> s_port = new();

    [ThreadStatic]
    private static string? t_callback;

    /// <summary>Whether the calling thread is in a callback.</summary>
    public static bool IsInCallback => t_callback is not null;

    /// <summary>The calling thread enters a callback, until the result is disposed.</summary>
    public static Callback Enter(string callback) => new(callback);

    /// <exception cref="InvalidOperationException">The calling thread is in a callback.</exception>
    public static void ThrowIfInCallback([CallerMemberName] string member = "")
    {
        if (t_callback is { } callback)
        {
            throw new InvalidOperationException(
                $"{member} was called from inside {callback}, which runs under the cache's locks: a callback changes the engine's own memory, and may call Discard.");
        }
    }

    /// <summary>Calls a port for something that is waited for meanwhile.</summary>
    /// <param name="owner">What waits: a volume's write-back, or a file.</param>
    /// <param name="place">The page of the file, or 0.</param>
    /// <param name="name">The port in words.</param>
    /// <param name="port">The call.</param>
    public static ValueTask CallAsync(object owner, long place, string name, Func<ValueTask> port) =>
        CallAsync((asked, at) => asked == owner && at == place, name, port);

    /// <summary>Calls a port that does not await, as <see cref="CallAsync(object, long, string, Func{ValueTask})"/>.</summary>
    /// <returns>What it returned.</returns>
    public static T Call<T>(object owner, long place, string name, Func<T> port)
    {
        var outer = s_port.Value;
        var call = new PortCall((asked, at) => asked == owner && at == place, name, outer);
        s_port.Value = call;
        try
        {
            return port();
        }
        finally
        {
            call.End();
            s_port.Value = outer;
        }
    }

    /// <summary>Calls a port for something that has several places, all of which it keeps meanwhile.</summary>
    /// <param name="keeps">Whether what waits keeps a place of a volume or of a file.</param>
    /// <param name="name">The port in words.</param>
    /// <param name="port">The call.</param>
    public static async ValueTask CallAsync(Func<object, long, bool> keeps, string name, Func<ValueTask> port)
    {
        // What an async method sets is undone for its caller.
        var call = new PortCall(keeps, name, s_port.Value);
        s_port.Value = call;
        try
        {
            await port().ConfigureAwait(false);
        }
        finally
        {
            call.End();
        }
    }

    /// <summary>The calling flow is a new one, whoever began it.</summary>
    public static void BeginFlow() => s_port.Value = null;

    /// <summary>Whether the calling flow is inside a port that write-back of a volume waits for.</summary>
    public static bool IsInPort(object owner) => Find(owner, 0) is not null;

    /// <summary>Before a wait for what goes on only when a port has returned.</summary>
    /// <exception cref="InvalidOperationException">The calling flow is inside that port.</exception>
    public static void ThrowIfInPort(object owner, long place, string what)
    {
        if (Find(owner, place) is { } call)
        {
            throw new InvalidOperationException($"{what} was called from inside {call.Name}, and would wait for that to return.");
        }
    }

    private static PortCall? Find(object owner, long place)
    {
        var call = s_port.Value;
        while (call is not null && !(call.IsUnderWay && call.Keeps(owner, place)))
        {
            call = call.Outer;
        }

        return call;
    }

    /// <summary>A callback that the thread is in.</summary>
    public readonly ref struct Callback
    {
        private readonly string? _outer;

        public Callback(string name)
        {
            _outer = t_callback;
            t_callback = name;
        }

        public void Dispose() => t_callback = _outer;
    }

    private sealed class PortCall(Func<object, long, bool> keeps, string name, PortCall? outer)
    {
        private int _isOver;

        public Func<object, long, bool> Keeps { get; } = keeps;

        public string Name { get; } = name;

        public PortCall? Outer { get; } = outer;

        public bool IsUnderWay => Atomic.LoadAcquire(ref _isOver) == 0;

        public void End() => Atomic.StoreRelease(ref _isOver, 1);
    }
}
