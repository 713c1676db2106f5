using System.Numerics;
using System.Runtime.InteropServices;

namespace SharedPageCache.Concurrency;

/// <summary>
/// A counter that many threads change and few read: one padded cell a processor, summed on reading. Exact when at rest.
/// </summary>
internal sealed class StripedCounter
{
    private static readonly int s_cells = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, 64));

    private readonly Cell[] _cells = new Cell[s_cells];

    /// <summary>What a counter takes, in bytes.</summary>
    public static int Bytes => 48 + s_cells * CellBytes;

    /// <summary>Two cache lines: processors fetch them in pairs.</summary>
    private const int CellBytes = 128;

    public long Sum
    {
        get
        {
            long sum = 0;
            for (var i = 0; i < _cells.Length; i++)
            {
                sum += Atomic.LoadAcquire(ref _cells[i].Value);
            }

            return sum;
        }
    }

    public void Increment() => Add(1);

    public void Add(long value) =>
        Atomic.Add(ref _cells[Thread.GetCurrentProcessorId() & (_cells.Length - 1)].Value, value);

    [StructLayout(LayoutKind.Sequential, Size = CellBytes)]
    private struct Cell
    {
        public long Value;
    }
}
