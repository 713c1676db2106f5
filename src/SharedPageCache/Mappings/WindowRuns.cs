using System.Buffers.Binary;
using System.Numerics;

namespace SharedPageCache.Mappings;

/// <summary>
/// The truth of one window of a file: its runs, in order, in a compact byte code (about 4 bytes a run). A leaf keeps it
/// for life, so that a page whose reference went stale is resolved again without asking the engine; two windows with
/// equal bytes show the same blocks with the same flags, which is what lets strangers share a leaf.
/// </summary>
/// <remarks>
/// Each run is coded as LEB128 numbers in units of the smaller of block and page: gap since the last run; length; flags and the
/// presence of a generation; the address as a signed difference from the end of the last run; the generation if present.
/// Immutable.
/// </remarks>
internal sealed class WindowRuns
{
    private readonly byte[] _code;
    private readonly int _unitShift;

    private WindowRuns(byte[] code, int unitShift, int count, bool hasGenerations, bool hasOpaque, ulong hash)
    {
        _code = code;
        _unitShift = unitShift;
        Count = count;
        HasGenerations = hasGenerations;
        HasOpaque = hasOpaque;
        Hash = hash;
    }

    public int Count { get; }

    public bool HasGenerations { get; }

    public bool HasOpaque { get; }

    public ulong Hash { get; }

    /// <summary>Managed memory of this object in bytes.</summary>
    public int Bytes => 48 + 24 + (_code.Length + 7 & ~7);

    /// <param name="runs">The runs, in order.</param>
    /// <param name="unit">What all numbers are multiples of, in bytes: the smaller of block and page.</param>
    public static WindowRuns Encode(ReadOnlySpan<WindowRun> runs, int unit)
    {
        var unitShift = BitOperations.Log2((uint)unit);
        var buffer = new byte[Math.Max(1, runs.Length) * 24];
        var length = 0;
        var hasGenerations = false;
        var hasOpaque = false;
        long end = 0;
        long physicalEnd = 0;
        foreach (var run in runs)
        {
            Put(buffer, ref length, (ulong)(run.Start - end >> unitShift));
            Put(buffer, ref length, (ulong)(run.Length >> unitShift));
            var withGeneration = run.Generation != 0;
            Put(buffer, ref length, (ulong)run.Flags << 1 | (withGeneration ? 1UL : 0));
            if (!run.IsOpaque)
            {
                var delta = (run.Physical >> unitShift) - physicalEnd;
                Put(buffer, ref length, (ulong)(delta << 1 ^ delta >> 63));
                physicalEnd = run.Physical + run.Length >> unitShift;
            }

            if (withGeneration)
            {
                Put(buffer, ref length, run.Generation);
            }

            hasGenerations |= withGeneration;
            hasOpaque |= run.IsOpaque;
            end = run.End;
        }

        var code = buffer.AsSpan(0, length).ToArray();
        return new WindowRuns(code, unitShift, runs.Length, hasGenerations, hasOpaque, HashOf(code));
    }

    /// <summary>These runs with a range of the window put elsewhere, or made a hole.</summary>
    /// <param name="start">First byte of the range in the window.</param>
    /// <param name="end">The byte after it.</param>
    /// <param name="replacement">What the range is from now on: a run of exactly that range, or null for a hole.</param>
    public WindowRuns With(int start, int end, WindowRun? replacement)
    {
        var runs = new List<WindowRun>(Count + 2);
        var isPut = replacement is null;
        foreach (var run in this)
        {
            if (run.Start < start)
            {
                runs.Add(run.Clip(run.Start, Math.Min(run.End, start)));
            }

            if (!isPut && run.End > start)
            {
                runs.Add(replacement!.Value);
                isPut = true;
            }

            if (run.End > end)
            {
                runs.Add(run.Clip(Math.Max(run.Start, end), run.End));
            }
        }

        if (!isPut)
        {
            runs.Add(replacement!.Value);
        }

        Merge(runs);
        return Encode([.. runs], 1 << _unitShift);
    }

    /// <summary>Neighbours that continue each other become one run, so that equal truths have equal codes.</summary>
    public static void Merge(List<WindowRun> runs)
    {
        var count = 0;
        for (var i = 0; i < runs.Count; i++)
        {
            if (count > 0 && runs[count - 1].TryJoin(runs[i]) is { } joined)
            {
                runs[count - 1] = joined;
            }
            else
            {
                runs[count++] = runs[i];
            }
        }

        runs.RemoveRange(count, runs.Count - count);
    }

    public bool Equals(WindowRuns other) =>
        Count == other.Count && _unitShift == other._unitShift && _code.AsSpan().SequenceEqual(other._code);

    public Enumerator GetEnumerator() => new(_code, _unitShift);

    private static ulong HashOf(ReadOnlySpan<byte> code)
    {
        // Two independent CRCs spread the bytes; equality is always decided by comparing the bytes themselves.
        uint low = 0x9E3779B9;
        uint high = 0x7F4A7C15;
        while (code.Length >= 8)
        {
            var word = BinaryPrimitives.ReadUInt64LittleEndian(code);
            low = BitOperations.Crc32C(low, word);
            high = BitOperations.Crc32C(high, BitOperations.RotateLeft(word, 17) * 0x9E3779B97F4A7C15);
            code = code[8..];
        }

        foreach (var value in code)
        {
            low = BitOperations.Crc32C(low, value);
            high = BitOperations.Crc32C(high, (byte)~value);
        }

        return (ulong)high << 32 | low;
    }

    private static void Put(byte[] buffer, ref int length, ulong value)
    {
        while (value >= 0x80)
        {
            buffer[length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        buffer[length++] = (byte)value;
    }

    /// <summary>Decodes run after run.</summary>
    public ref struct Enumerator(byte[] code, int unitShift)
    {
        private readonly ReadOnlySpan<byte> _code = code;
        private int _position;
        private long _end;
        private long _physicalEnd;

        public WindowRun Current { get; private set; }

        public bool MoveNext()
        {
            if (_position == _code.Length)
            {
                return false;
            }

            var start = _end + ((long)Take() << unitShift);
            var length = (long)Take() << unitShift;
            var word = Take();
            var flags = (ExtentFlags)(word >> 1);
            long physical = -1;
            if ((flags & ExtentFlags.Opaque) == 0)
            {
                var coded = Take();
                var first = _physicalEnd + ((long)(coded >> 1) ^ -(long)(coded & 1));
                physical = first << unitShift;
                _physicalEnd = first + (length >> unitShift);
            }

            var generation = (word & 1) != 0 ? (uint)Take() : 0;
            _end = start + length;
            Current = new WindowRun((int)start, (int)length, physical, flags, generation);
            return true;
        }

        private ulong Take()
        {
            ulong value = 0;
            var shift = 0;
            while (true)
            {
                var piece = _code[_position++];
                value |= (ulong)(piece & 0x7F) << shift;
                if (piece < 0x80)
                {
                    return value;
                }

                shift += 7;
            }
        }
    }
}
