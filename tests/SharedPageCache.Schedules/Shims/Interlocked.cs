using SharedPageCache.Schedules.Exploring;
using Real = System.Threading.Interlocked;

namespace SharedPageCache.Schedules.Shims;

/// <summary>Read-modify-write operations, each a scheduling point.</summary>
internal static class Interlocked
{
    public static long CompareExchange(ref long location, long value, long comparand)
    {
        var self = Scheduler.Before();
        var was = Real.CompareExchange(ref location, value, comparand);
        self?.After(was == comparand ? "cas" : "cas failed", ref location, was, was == comparand ? value : was);
        return was;
    }

    public static int CompareExchange(ref int location, int value, int comparand)
    {
        var self = Scheduler.Before();
        var was = Real.CompareExchange(ref location, value, comparand);
        self?.After(was == comparand ? "cas" : "cas failed", ref location, was, was == comparand ? value : was);
        return was;
    }

    public static T? CompareExchange<T>(ref T? location, T? value, T? comparand)
        where T : class
    {
        var self = Scheduler.Before();
        var was = Real.CompareExchange(ref location!, value, comparand);
        self?.After(was == comparand ? "cas" : "cas failed", was, was == comparand ? value : was);
        return was;
    }

    public static int Increment(ref int location)
    {
        var self = Scheduler.Before();
        var now = Real.Increment(ref location);
        self?.After("increment", ref location, now - 1, now);
        return now;
    }

    public static int Decrement(ref int location)
    {
        var self = Scheduler.Before();
        var now = Real.Decrement(ref location);
        self?.After("decrement", ref location, now + 1, now);
        return now;
    }

    public static long Add(ref long location, long value)
    {
        var self = Scheduler.Before();
        var now = Real.Add(ref location, value);
        self?.After("add", ref location, now - value, now);
        return now;
    }

    public static int Add(ref int location, int value)
    {
        var self = Scheduler.Before();
        var now = Real.Add(ref location, value);
        self?.After("add", ref location, now - value, now);
        return now;
    }

    public static long Exchange(ref long location, long value)
    {
        var self = Scheduler.Before();
        var was = Real.Exchange(ref location, value);
        self?.After("exchange", ref location, was, value);
        return was;
    }

    public static int Exchange(ref int location, int value)
    {
        var self = Scheduler.Before();
        var was = Real.Exchange(ref location, value);
        self?.After("exchange", ref location, was, value);
        return was;
    }

    public static T? Exchange<T>(ref T? location, T? value)
        where T : class
    {
        var self = Scheduler.Before();
        var was = Real.Exchange(ref location!, value);
        self?.After("exchange", was, value);
        return was;
    }

    public static long Or(ref long location, long bits)
    {
        var self = Scheduler.Before();
        var was = Real.Or(ref location, bits);
        self?.After("or", ref location, was, was | bits);
        return was;
    }

    public static long And(ref long location, long mask)
    {
        var self = Scheduler.Before();
        var was = Real.And(ref location, mask);
        self?.After("and", ref location, was, was & mask);
        return was;
    }
}
