namespace SharedPageCache.Stress.Support;

/// <summary>A small, fast generator of pseudo-random numbers (xorshift64*, S. Vigna): one for each thread of a test.</summary>
internal sealed class Dice(ulong seed)
{
    private ulong _state = Mix(seed) | 1;

    /// <summary>A seed that depends on two numbers.</summary>
    public static ulong Mix(ulong seed, ulong stream = 0)
    {
        var mixed = seed + (stream + 1) * 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    public ulong Next()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return _state * 0x2545F4914F6CDD1D;
    }

    /// <summary>A number from 0 to <paramref name="bound"/> - 1.</summary>
    public int Below(int bound) => (int)Below((long)bound);

    public long Below(long bound) => (long)Math.BigMul(Next(), (ulong)bound, out _);

    /// <summary>A number of a range, both ends included.</summary>
    public int From(int first, int last) => first + Below(last - first + 1);

    public bool OneIn(int chances) => Below(chances) == 0;

    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];
}
