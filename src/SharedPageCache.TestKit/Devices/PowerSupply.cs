using System.Diagnostics;

namespace SharedPageCache.TestKit.Devices;

/// <summary>The power of one or several <see cref="SectorDevice"/>s: it fails for all of them at the same operation.</summary>
[DebuggerDisplay("{Operations} operations")]
public sealed class PowerSupply
{
    private readonly Lock _lock = new();
    private long _left = long.MaxValue;
    private long _operations;

    /// <summary>Writes and flushes of all devices since the beginning.</summary>
    public long Operations
    {
        get
        {
            lock (_lock)
            {
                return _operations;
            }
        }
    }

    /// <summary>Whether the power is gone.</summary>
    public bool IsCut
    {
        get
        {
            lock (_lock)
            {
                return _left < 0;
            }
        }
    }

    /// <summary>After so many more writes and flushes the power is gone: every later one fails, and the next one may be half done.</summary>
    /// <param name="operations">How many still succeed.</param>
    public void CutAfter(long operations)
    {
        lock (_lock)
        {
            _left = operations;
        }
    }

    /// <summary>Counts an operation; false if the power fails in it, or has failed before.</summary>
    internal bool Spend()
    {
        lock (_lock)
        {
            _operations++;
            if (_left <= 0)
            {
                _left = -1;
                return false;
            }

            _left--;
            return true;
        }
    }
}
