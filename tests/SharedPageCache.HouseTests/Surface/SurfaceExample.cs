namespace SharedPageCache.HouseTests.Surface;

#pragma warning disable CA1067, CA2211, CS0067, CS1591, IDE0044, IDE0060 // A specimen: it is looked at, never run.

/// <summary>What the writer of surfaces is tried on.</summary>
public abstract class SurfaceExample : IEquatable<string>
{
    public const int Limit = 7;

    [Obsolete("Old")]
    public static readonly int Answer = 42;

    private readonly int[] _numbers = [1];

    public event Action? Changed;

    [Flags]
    public enum Colours : byte
    {
        None = 0,
        Red = 1,
    }

    public delegate void Listener(Span<byte> page);

    public abstract IReadOnlyList<string?>? Names { get; }

    public int Count { get; protected set; }

    public required int Size { get; init; }

    internal int Hidden { get; set; }

    public ref readonly int this[int index] => ref _numbers[index];

    public static bool operator <(SurfaceExample left, SurfaceExample right) => left.Count < right.Count;

    public static bool operator >(SurfaceExample left, SurfaceExample right) => left.Count > right.Count;

    public static T[] Make<T>(params ReadOnlySpan<T> items)
        where T : unmanaged => items.ToArray();

    public bool Equals(string? other) => false;

    public override string ToString() => "";

    protected virtual string? Find(in int key, out long value, ref byte state, string? hint = null)
    {
        value = key;
        return hint;
    }

    private protected int HiddenToo() => Hidden;

    public readonly record struct Pair(int Left, int Right);

    public readonly ref struct View<T>
        where T : class, IDisposable, new()
    {
        public T? First() => null;
    }
}
