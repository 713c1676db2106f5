using System.Runtime.CompilerServices;
using SharedPageCache.Schedules.Exploring;
using Real = System.Threading.Volatile;

namespace SharedPageCache.Schedules.Shims;

/// <summary>Loads and stores, each a scheduling point. Sequentially consistent: order weaker than that is not explored.</summary>
internal static class Volatile
{
    public static long Read(ref readonly long location)
    {
        var self = Scheduler.Before();
        var value = Real.Read(in location);
        self?.After("load", ref Unsafe.AsRef(in location), value, value);
        return value;
    }

    public static int Read(ref readonly int location)
    {
        var self = Scheduler.Before();
        var value = Real.Read(in location);
        self?.After("load", ref Unsafe.AsRef(in location), value, value);
        return value;
    }

    public static byte Read(ref readonly byte location)
    {
        var self = Scheduler.Before();
        var value = Real.Read(in location);
        self?.After("load", null, value);
        return value;
    }

    public static T? Read<T>(ref readonly T? location)
        where T : class
    {
        var self = Scheduler.Before();
        var value = Real.Read(in location);
        self?.After("load", value, value);
        return value;
    }

    public static void Write(ref long location, long value)
    {
        var self = Scheduler.Before();
        var was = self is null ? 0 : location;
        Real.Write(ref location, value);
        self?.After("store", ref location, was, value);
    }

    /// <summary>Also what gives back a lock, so it is done even if the schedule ends here: a finalizer may want the lock afterwards.</summary>
    public static void Write(ref int location, int value)
    {
        LogicalThread? self;
        try
        {
            self = Scheduler.Before();
        }
        catch (ScheduleEndedException)
        {
            Real.Write(ref location, value);
            throw;
        }

        var was = self is null ? 0 : location;
        Real.Write(ref location, value);
        self?.After("store", ref location, was, value);
    }

    public static void Write(ref byte location, byte value)
    {
        var self = Scheduler.Before();
        Real.Write(ref location, value);
        self?.After("store", null, value);
    }

    public static void Write<T>(ref T? location, T? value)
        where T : class
    {
        var self = Scheduler.Before();
        Real.Write(ref location!, value);
        self?.After("store", null, value);
    }

    public static void ReadBarrier()
    {
        Scheduler.Before()?.After("read barrier", null, null);
        Real.ReadBarrier();
    }

    public static void WriteBarrier()
    {
        Scheduler.Before()?.After("write barrier", null, null);
        Real.WriteBarrier();
    }
}
