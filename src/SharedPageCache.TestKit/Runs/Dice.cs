using System.Diagnostics;

namespace SharedPageCache.TestKit.Runs;

/// <summary>A small, fast generator of pseudo-random numbers (xorshift64*, S. Vigna): one for each thread of a test.</summary>
/// <param name="seed">All that it will say follows from this.</param>
[DebuggerDisplay("state {_state}")]
public sealed class Dice(ulong seed)
{
    private ulong _state = Mix(seed) | 1;

    /// <summary>A seed that depends on two numbers.</summary>
    /// <param name="seed">The first one.</param>
    /// <param name="stream">The second one: the number of a thread, of a round.</param>
    /// <returns>The seed.</returns>
    public static ulong Mix(ulong seed, ulong stream = 0)
    {
        var mixed = seed + (stream + 1) * 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    /// <summary>64 random bits.</summary>
    /// <returns>The bits.</returns>
    public ulong Next()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return _state * 0x2545F4914F6CDD1D;
    }

    /// <summary>A number from 0 to <paramref name="bound"/> - 1.</summary>
    /// <param name="bound">The first number that it is not.</param>
    /// <returns>The number.</returns>
    public int Below(int bound) => (int)Below((long)bound);

    /// <inheritdoc cref="Below(int)"/>
    public long Below(long bound) => (long)Math.BigMul(Next(), (ulong)bound, out _);

    /// <summary>A number of a range, both ends included.</summary>
    /// <param name="first">The least.</param>
    /// <param name="last">The greatest.</param>
    /// <returns>The number.</returns>
    public int From(int first, int last) => first + Below(last - first + 1);

    /// <summary>Whether something happens that does so once in so many times.</summary>
    /// <param name="chances">How many times.</param>
    /// <returns>Whether it does now.</returns>
    public bool OneIn(int chances) => Below(chances) == 0;

    /// <summary>One of several.</summary>
    /// <typeparam name="T">What they are.</typeparam>
    /// <param name="choices">All of them.</param>
    /// <returns>One of them.</returns>
    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];
}
