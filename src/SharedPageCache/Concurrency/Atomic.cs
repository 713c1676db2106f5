using System.Runtime.CompilerServices;

namespace SharedPageCache.Concurrency;

/// <summary>
/// Every shared word of the core is read and written through these verbs, so that the order of an access stands in its
/// name and one place can be exchanged for scheduling points.
/// </summary>
/// <remarks>
/// Memory model: a load-acquire is not passed by later accesses, a store-release does not pass earlier ones, and every
/// read-modify-write verb is a full fence (the documented .NET memory model). Nothing here relies on x64.
/// </remarks>
internal static class Atomic
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long LoadAcquire(ref readonly long location) => Volatile.Read(in location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int LoadAcquire(ref readonly int location) => Volatile.Read(in location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte LoadAcquire(ref readonly byte location) => Volatile.Read(in location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T? LoadAcquire<T>(ref readonly T? location)
        where T : class => Volatile.Read(in location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRelease(ref long location, long value) => Volatile.Write(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRelease(ref int location, int value) => Volatile.Write(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRelease(ref byte location, byte value) => Volatile.Write(ref location, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRelease<T>(ref T? location, T? value)
        where T : class => Volatile.Write(ref location, value);

    /// <summary>Earlier loads are not passed by later loads and stores (the re-check of an optimistic read).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadBarrier() => Volatile.ReadBarrier();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long CompareExchange(ref long location, long value, long comparand) =>
        Interlocked.CompareExchange(ref location, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CompareExchange(ref int location, int value, int comparand) =>
        Interlocked.CompareExchange(ref location, value, comparand);

    public static T? CompareExchange<T>(ref T? location, T? value, T? comparand)
        where T : class => Interlocked.CompareExchange(ref location, value, comparand);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Increment(ref int location) => Interlocked.Increment(ref location);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Decrement(ref int location) => Interlocked.Decrement(ref location);

    public static long Add(ref long location, long value) => Interlocked.Add(ref location, value);

    public static int Add(ref int location, int value) => Interlocked.Add(ref location, value);

    public static int Exchange(ref int location, int value) => Interlocked.Exchange(ref location, value);

    public static long Exchange(ref long location, long value) => Interlocked.Exchange(ref location, value);

    public static T? Exchange<T>(ref T? location, T? value)
        where T : class => Interlocked.Exchange(ref location, value);

    /// <summary>Sets bits and returns the word as it was before.</summary>
    public static long Or(ref long location, long bits) => Interlocked.Or(ref location, bits);

    /// <summary>Clears the bits that are not in the mask and returns the word as it was before.</summary>
    public static long And(ref long location, long mask) => Interlocked.And(ref location, mask);
}
