namespace SharedPageCache.Mappings;

/// <summary>
/// How many open files have used each page of a leaf: a byte a page, widened when a page is used by more than 254 files.
/// Guarded by the leaf's lock; read for statistics without it.
/// </summary>
internal sealed class TouchCounts(int slots)
{
    private readonly byte[] _small = new byte[slots];
    private int[]? _wide;

    public int this[int slot] => _wide is null ? _small[slot] : _wide[slot];

    public bool Increment(int slot)
    {
        if (_wide is null)
        {
            if (_small[slot] < byte.MaxValue)
            {
                _small[slot]++;
                return true;
            }

            _wide = Array.ConvertAll(_small, static count => (int)count);
        }

        _wide[slot]++;
        return true;
    }

    public bool Decrement(int slot)
    {
        if (this[slot] == 0)
        {
            return false;
        }

        if (_wide is null)
        {
            _small[slot]--;
        }
        else
        {
            _wide[slot]--;
        }

        return true;
    }
}
