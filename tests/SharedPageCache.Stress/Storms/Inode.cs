using System.Buffers;
using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress.Storms;

/// <summary>A file of the storm's engine: its extents, what its units may show, and the handles that are open on it.</summary>
internal class Inode(StormEngine engine, int number, Layout layout, Moment[] done, ExtentFlags flags) : IExtentMap
{
    private Truth _truth = new(layout, 0);
    private long _jitter;
    private bool _isDeleted;

    public StormEngine Engine { get; } = engine;

    public int Number { get; } = number;

    public ExtentFlags Flags { get; } = flags;

    /// <summary>For each unit the write that a read which begins now must see at least.</summary>
    public Moment[] Done { get; } = done;

    /// <summary>Open handles that have been handed to the workers; under the engine's lock.</summary>
    public List<MappedFile> Handles { get; } = [];

    /// <summary>Deleted when its last handle is closed.</summary>
    public bool IsTransient { get; set; }

    public bool IsDeleted
    {
        get => Volatile.Read(ref _isDeleted);
        set => Volatile.Write(ref _isDeleted, value);
    }

    public Layout Layout => Volatile.Read(ref _truth).Layout;

    public long Sequence
    {
        get
        {
            Engine.Faults.MaybeJitter(ref _jitter);
            return Volatile.Read(ref _truth).Sequence + Interlocked.Read(ref _jitter);
        }
    }

    /// <summary>
    /// Under the engine's lock: sequence and extents move as one. So an answer under a number is that number's truth, and
    /// opaque bytes that are read under it are what the answer says: the device gives others whatever it likes.
    /// </summary>
    public void Change(Layout layout) => Volatile.Write(ref _truth, new Truth(layout, _truth.Sequence + 1));

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        var pace = Engine.Faults.NextPace();
        if (pace == Pace.AtOnce)
        {
            Answer(offset, length, destination);
            return ValueTask.CompletedTask;
        }

        return AnswerLaterAsync(pace, offset, length, destination);
    }

    public override string ToString() => $"inode {Number} of volume {Engine.Number}";

    private async ValueTask AnswerLaterAsync(Pace pace, long offset, long length, IBufferWriter<Extent> destination)
    {
        await StormFaults.WaitAsync(pace);
        Answer(offset, length, destination);
    }

    private void Answer(long offset, long length, IBufferWriter<Extent> destination)
    {
        if (Engine.Faults.MaybeLie(offset, length, Engine.BlockSize, destination))
        {
            return;
        }

        var layout = Layout;
        var block = (long)Engine.BlockSize;
        var first = Math.Max(0, (offset - layout.Base) / block - StormFaults.Dice.Below(3));
        var last = Math.Min(layout.Blocks.Length, (offset + length - layout.Base + block - 1) / block + StormFaults.Dice.Below(3));
        for (var unit = first; unit < last;)
        {
            var lies = layout.Blocks[unit];
            var end = unit + 1;

            // Neighbours are told as one extent, or sometimes as several: the cache joins them.
            while (end < last && Continues(layout, end) && !StormFaults.Dice.OneIn(40))
            {
                end++;
            }

            var (at, run) = (layout.Base + unit * block, (end - unit) * block);
            switch (lies)
            {
                case Layout.Hole when StormFaults.Dice.OneIn(2):
                    destination.Write([Extent.Hole(at, run)]);
                    break;
                case Layout.Hole:
                    break;
                case Layout.Unwritten:
                    destination.Write([new Extent(at, run, unit * block, ExtentFlags.Unwritten | Flags)]);
                    break;
                case Layout.OpaqueUnit:
                    destination.Write([new Extent(at, run, 0, ExtentFlags.Opaque)]);
                    break;
                default:
                    destination.Write([new Extent(at, run, lies * block, Flags, Engine.GenerationOf(lies))]);
                    break;
            }

            unit = end;
        }
    }

    private sealed record Truth(Layout Layout, long Sequence);

    private bool Continues(Layout layout, long unit)
    {
        var (before, here) = (layout.Blocks[unit - 1], layout.Blocks[unit]);
        return before < 0 ? before == here : here == before + 1 && Engine.GenerationOf(here) == Engine.GenerationOf(before);
    }
}

/// <summary>An inode that its engine clones in memory, inside the gate of the file.</summary>
internal sealed class CloneableInode(StormEngine engine, int number, Layout layout, Moment[] done, ExtentFlags flags)
    : Inode(engine, number, layout, done, flags), ICloneableExtentMap
{
    public IExtentMap Clone() => Engine.CloneOf(this);
}
