using SharedPageCache.TestKit.Models;
using SharedPageCache.TestKit.Runs;

namespace SharedPageCache.Tests.Writing.Modelled;

/// <summary>The volume of the model test: a cache of an exact number of frames over an <see cref="ArrayEngine"/>.</summary>
public sealed class ArrayVolume : ModelledVolume
{
    /// <summary>Files that are open or closed and may be opened again, one that is being made, and one to fill the cache with.</summary>
    private const int SpareFiles = 6;

    private readonly ArrayDevice _device;
    private readonly ArrayEngine _engine;
    private readonly HashSet<ArrayFile> _files = [];

    /// <param name="shape">How large everything is.</param>
    /// <param name="lostBlock">A block, counted behind those that fill the cache, whose writes are lost: the model must find it. Negative for none.</param>
    public ArrayVolume(ModelShape shape, int lostBlock = -1)
    {
        var dice = new Dice(Dice.Mix(shape.Seed, ulong.MaxValue));
        var inPlace = dice.OneIn(3);

        // Nothing is written in the background before as much is dirty as may be.
        var limit = (long)shape.MostDirty * shape.PageSize;
        Cache = new PageCache(new PageCacheOptions
        {
            PageSize = shape.PageSize, Policy = shape.Policy, HugePages = false, ExactFrameCount = shape.Frames,
            MaxReadAheadPages = dice.Pick(0, 0, 4), Checked = CheckedRuns.Has(shape.Seed),
            DirtyAge = shape.WritesInBackground && dice.OneIn(2) ? TimeSpan.FromMilliseconds(10) : TimeSpan.FromHours(1),
            DirtyStartBytes = shape.WritesInBackground ? null : limit, DirtyThrottleBytes = shape.WritesInBackground ? null : limit,
            DirtyLimitBytes = shape.WritesInBackground ? null : limit,
        });

        // What files show and what they would after a crash.
        var blocks = 1 + shape.Frames + (2 * shape.MostPages * (shape.MostFiles + SpareFiles));
        _device = new ArrayDevice((long)blocks * shape.PageSize, Math.Max(512, Math.Min(4096, shape.PageSize) >> dice.Below(3)), shape.Yields)
        {
            LosesWritesAt = lostBlock < 0 ? -1 : (long)(1 + shape.Frames + lostBlock) * shape.PageSize,
        };
        _engine = new ArrayEngine(_device, blocks, shape.PageSize, inPlace, shape.Yields);
        Volume = Cache.AttachVolume(_device, new VolumeOptions { Placement = _engine });
        _engine.Volume = Volume;
    }

    public override PageCache Cache { get; }

    public override CachedVolume Volume { get; }

    public override IWritableExtentMap CreateFile(long length)
    {
        var file = _engine.Create(length);
        _files.Add(file);
        return file;
    }

    public override void NoteClone(IExtentMap file) => _files.Add((ArrayFile)file);

    public override void Forget(IExtentMap file)
    {
        _engine.Forget((ArrayFile)file);
        _files.Remove((ArrayFile)file);
    }

    public override long DurableLengthOf(IExtentMap file) => ((ArrayFile)file).DurableLength;

    public override void ReadDurable(IExtentMap file, long offset, Span<byte> destination) =>
        _engine.ReadDurable((ArrayFile)file, offset, destination);

    public override bool TryMove(Dice dice, ICollection<IExtentMap> moved)
    {
        ArgumentNullException.ThrowIfNull(dice);
        return _engine.TryMove(dice.Below(_engine.Blocks), moved, _files);
    }

    public override string? FaultAtRest() => _engine.FaultAtRest();

    public override void Dispose()
    {
        Cache.Dispose();
        _device.Dispose();
    }
}
