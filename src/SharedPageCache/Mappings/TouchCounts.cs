using System.Runtime.CompilerServices;

namespace SharedPageCache.Mappings;

/// <summary>
/// How many open files have used each page of a leaf. One bit a page while no page was used by two files, then a byte,
/// then four. Guarded by the leaf's lock; read for statistics without it.
/// </summary>
internal struct TouchCounts
{
    private OnceBits _once;
    private byte[]? _few;
    private int[]? _many;

    public readonly int this[int slot] => _many?[slot] ?? _few?[slot] ?? (int)(_once[slot >> 6] >> (slot & 63) & 1);

    /// <summary>Counts one more.</summary>
    /// <returns>The bytes by which the counts have grown.</returns>
    public int Increment(int slot)
    {
        var grown = 0;
        var count = this[slot] + 1;
        if (_few is null && count > 1)
        {
            var few = new byte[Window.Pages];
            for (var i = 0; i < few.Length; i++)
            {
                few[i] = (byte)this[i];
            }

            _few = few;
            grown += 24 + few.Length;
        }

        if (_many is null && count > byte.MaxValue)
        {
            _many = Array.ConvertAll(_few!, static known => (int)known);
            grown += 24 + _many.Length * sizeof(int);
        }

        Set(slot, count);
        return grown;
    }

    public bool TryDecrement(int slot)
    {
        var count = this[slot];
        if (count == 0)
        {
            return false;
        }

        Set(slot, count - 1);
        return true;
    }

    private void Set(int slot, int count)
    {
        if (_many is not null)
        {
            _many[slot] = count;
        }
        else if (_few is not null)
        {
            _few[slot] = (byte)count;
        }
        else
        {
            var bit = 1L << (slot & 63);
            _once[slot >> 6] = count == 0 ? _once[slot >> 6] & ~bit : _once[slot >> 6] | bit;
        }
    }

    /// <summary>A bit for each page of a window.</summary>
    [InlineArray(Window.Pages / 64)]
    private struct OnceBits
    {
        private long _first;
    }
}
