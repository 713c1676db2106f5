using System.Buffers;
using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress.Storms;

/// <summary>When a call of the device or of the engine completes.</summary>
internal enum Pace
{
    AtOnce,
    AfterYield,
    Later,
    MuchLater,
}

/// <summary>What goes wrong with the device and the engine of a storm, and how slowly they answer.</summary>
internal sealed class StormFaults(StormOptions options, ulong seed)
{
    [ThreadStatic]
    private static Dice? t_dice;

    private static long s_threads;

    private readonly bool _possible = options.HasFaults;
    private readonly int _slow = options.SlowPerMille;
    private readonly int _often = options.HasFaults ? new Dice(seed).Pick(3, 10, 50) : 0;
    private int _off;
    private long _injected;

    /// <summary>A generator of the calling thread's own, for faults and delays: these follow no seed.</summary>
    public static Dice Dice => t_dice ??= new Dice((ulong)Interlocked.Increment(ref s_threads));

    /// <summary>Faults injected so far.</summary>
    public long Injected => Interlocked.Read(ref _injected);

    private bool IsOn => _possible && Volatile.Read(ref _off) == 0;

    /// <summary>From now on all goes well.</summary>
    public void Heal() => Volatile.Write(ref _off, 1);

    public bool Strikes()
    {
        if (!IsOn || !Dice.OneIn(_often))
        {
            return false;
        }

        Interlocked.Increment(ref _injected);
        return true;
    }

    public Pace NextPace()
    {
        if (_slow == 0 || Dice.Below(1000) >= _slow)
        {
            return Pace.AtOnce;
        }

        return Dice.Below(100) switch
        {
            < 90 => Pace.AfterYield,
            < 99 => Pace.Later,
            _ => IsOn ? Pace.MuchLater : Pace.Later,
        };
    }

    public static async ValueTask WaitAsync(Pace pace)
    {
        switch (pace)
        {
            case Pace.AfterYield:
                await Task.Yield();
                break;
            case Pace.Later:
                await Task.Delay(1);
                break;
            case Pace.MuchLater:
                await Task.Delay(20);
                break;
        }
    }

    public static void Wait(Pace pace)
    {
        switch (pace)
        {
            case Pace.AfterYield:
                Thread.Yield();
                break;
            case Pace.Later:
                Thread.Sleep(1);
                break;
            case Pace.MuchLater:
                Thread.Sleep(20);
                break;
        }
    }

    /// <summary>The sequence moves although nothing has changed.</summary>
    public void MaybeJitter(ref long sequence)
    {
        if (IsOn && Dice.OneIn(_often * 4))
        {
            Interlocked.Increment(ref _injected);
            Interlocked.Increment(ref sequence);
        }
    }

    /// <summary>The engine throws, or answers with extents that break a rule; false if it is to tell the truth.</summary>
    public bool MaybeLie(long offset, long length, int block, IBufferWriter<Extent> destination)
    {
        if (!Strikes())
        {
            return false;
        }

        switch (Dice.Below(7))
        {
            case 0:
                throw new IOException("the engine cannot read its metadata");
            case 1:
                throw new InvalidOperationException("the engine is confused");
            case 2:
                destination.Write([new Extent(offset, block, 0), new Extent(offset, block, 0)]);
                return true;
            case 3:
                destination.Write([new Extent(offset, block, 1)]);
                return true;
            case 4:
                destination.Write([new Extent(offset, block, long.MaxValue / block * block - block)]);
                return true;
            case 5:
                destination.Write([new Extent(offset, -block, 0)]);
                return true;
            default:
                destination.Write([new Extent(long.MaxValue / block * block, (length + block - 1) / block * block, 0)]);
                return true;
        }
    }
}
