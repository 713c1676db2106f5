using System.Runtime.CompilerServices;
using SharedPageCache.Frames;
using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <summary>A tiny cache over one device, with files that know their truth.</summary>
internal sealed class Universe
{
    private readonly List<TestFile> _files = [];
    private readonly List<Extents> _maps = [];
    private readonly Dictionary<long, uint> _generations = [];
    private readonly uint _firstGenerationOfBlocks;
    private long _now;

    /// <param name="frames">Frames of the cache.</param>
    /// <param name="pageSize">The page size.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="firstGeneration">The generation with which each frame begins.</param>
    /// <param name="volumeNumbers">How many volumes there may be at a time.</param>
    /// <param name="firstGenerationOfBlocks">The engine's generation with which each sector begins; 0 if it counts none.</param>
    /// <param name="firstSequence">The sequence with which the extents of each file begin.</param>
    public Universe(int frames = 4, int pageSize = Sector.Size, EvictionPolicy policy = EvictionPolicy.Clock, int firstGeneration = 1,
        int volumeNumbers = 2, uint firstGenerationOfBlocks = 0, long firstSequence = 1)
    {
        _firstGenerationOfBlocks = firstGenerationOfBlocks;
        FirstSequence = firstSequence;
        Cache = new PageCache(new PageCacheOptions
        {
            ExactFrameCount = frames,
            PageSize = pageSize,
            MaxReadAheadPages = 0,
            HugePages = false,
            Policy = policy,
            FirstGeneration = firstGeneration,
            VolumeNumbers = volumeNumbers,
            Checked = CheckedWorld.IsOn,
        });
        PageSize = pageSize;
        Device = new Device(Sector.Size);
        Volume = Cache.AttachVolume(Device);
    }

    public PageCache Cache { get; }

    public CachedVolume Volume { get; }

    public Device Device { get; }

    public int PageSize { get; }

    public int SectorsPerPage => PageSize / Sector.Size;

    public long FirstSequence { get; }

    /// <summary>The engine's generation of a sector: how often it was given out, if the engine counts that.</summary>
    public uint GenerationOf(long sector) => _firstGenerationOfBlocks == 0 ? 0 : _generations.GetValueOrDefault(sector, _firstGenerationOfBlocks);

    public long Tick() => ++_now;

    /// <summary>Opens a file whose sectors lie where the numbers say; -1 is a hole.</summary>
    public TestFile Open(params long[] sectors) => Open(new Extents(this, sectors));

    /// <summary>Opens a file whose sectors can only be read through it.</summary>
    public TestFile OpenOpaque(params long[] sectors) => Open(new Extents(this, sectors, isOpaque: true));

    public TestFile Open(Extents extents, ulong id = 0)
    {
        var file = Volume.OpenFile(
            extents, (long)extents.Length * Sector.Size, new FileOpenOptions { Id = FileId.FromNumber(id) });
        return Add(new TestFile(this, file));
    }

    public TestFile Add(TestFile file)
    {
        _files.Add(file);
        return file;
    }

    public void Add(Extents map) => _maps.Add(map);

    public Sector Held(long sector) => sector < 0 ? Sector.Zero : Device[sector];

    public static BlockRun Run(long sector, int count = 1) => new(sector * Sector.Size, (long)count * Sector.Size);

    /// <summary>The engine frees a sector: nobody may see what it held in a read that begins after this has returned.</summary>
    public void Discard(long sector)
    {
        var held = Device[sector];
        Scheduler.Note($"discard of sector {sector} begins");
        Volume.Discard(Run(sector));
        Ends(sector, held);
    }

    /// <summary>The engine takes a sector from all files that show it and gives it to another one with other content.</summary>
    public void GiveTo(long sector, TestFile heir)
    {
        RemapAll(sector, -1);
        Discard(sector);
        Device.Rewrite(sector);
        heir.Remap(0, sector);
        heir.Invalidate();
    }

    /// <summary>
    /// The engine takes a sector from all files, tells them, and gives it to another one with other content under the next generation; the volume
    /// is not told. After the last generation comes the first one.
    /// </summary>
    public void GiveToInANewGeneration(long sector, TestFile heir)
    {
        while (_files.Find(file => file.Extents.IndexOf(sector) >= 0) is { } file)
        {
            file.Remap(file.Extents.IndexOf(sector), -1);
            file.Invalidate();
        }

        _generations[sector] = Math.Max(1, GenerationOf(sector) + 1);
        Scheduler.Note($"sector {sector} is given out in generation {GenerationOf(sector)}");
        Device.Rewrite(sector);
        heir.Remap(0, sector);
        heir.Invalidate();
    }

    /// <summary>The engine copies a sector elsewhere, under a generation that the new place has not had, and lets the cache follow.</summary>
    public void RelocateWithGenerations(long from, long to)
    {
        Device.Write(to, Device[from]);
        var old = GenerationOf(to);
        _generations[to] = Math.Max(1, old + 1);
        Volume.Relocate(Run(from), Run(to), GenerationOf(from), GenerationOf(to));
        RemapAll(from, to);
        Discard(from);
    }

    /// <summary>Somebody overwrites a sector in place and says so.</summary>
    public void Overwrite(long sector)
    {
        var (held, fresh) = (Device[sector], Device.Fresh(sector));
        foreach (var map in _maps)
        {
            map.Begins(sector, fresh);
        }

        Device.Write(sector, fresh);
        Volume.Discard(Run(sector));
        Ends(sector, held);
    }

    /// <summary>The engine copies a sector elsewhere, lets the cache follow, remaps all files and frees the old place.</summary>
    public void Relocate(long from, long to)
    {
        Device.Write(to, Device[from]);
        Scheduler.Note($"relocate {from} to {to} begins");
        Volume.Relocate(Run(from), Run(to));
        Scheduler.Note($"relocate {from} to {to} has returned");
        RemapAll(from, to);
        Discard(from);
    }

    /// <summary>Until no file shows the sector any more, also none that was cloned meanwhile.</summary>
    private void RemapAll(long from, long to)
    {
        while (_maps.FirstOrDefault(map => map.IndexOf(from) >= 0) is { } map)
        {
            map.Remap(map.IndexOf(from), to);
        }
    }

    private void Ends(long sector, Sector held)
    {
        foreach (var map in _maps)
        {
            map.Ends(sector, held);
        }

        Scheduler.Note($"discard of sector {sector}, which held {held}, has returned");
    }

    /// <summary>
    /// At rest: the self-check, no pins, only free and clean frames, clean bytes as on the device, true reads; or, if the
    /// volume is gone, only free frames.
    /// </summary>
    public void Check(bool open = true)
    {
        Cache.Verify();
        var rooms = Cache.Engine.Rooms;
        var number = rooms.Volumes.All().FirstOrDefault(volume => volume.Id == Volume.Id)?.Number;
        for (var frame = 0; frame < rooms.Frames.Count; frame++)
        {
            ref var header = ref rooms.Frames[frame];
            var state = header.State.Load();
            Require(header.Pins == 0, $"frame {frame} ({state}) still has {header.Pins} pins");
            Require(state.Phase is FramePhase.Free or FramePhase.Clean or FramePhase.Retired, $"frame {frame} is {state} at rest");
            var identity = rooms.Frames.IdentityOf(frame);
            Require(open || state.Phase == FramePhase.Free, $"frame {frame} is {state} when all is gone");
            if (state.Phase == FramePhase.Clean && identity.IsSome && identity.Volume == number && identity.Generation == GenerationOf(identity.Block * SectorsPerPage))
            {
                var first = identity.Block * SectorsPerPage;
                for (var i = 0; i < SectorsPerPage; i++)
                {
                    var held = Sector.Of(rooms.Arena.Span(frame).Slice(i * Sector.Size, Sector.Size));
                    Require(held == Device[first + i], $"frame {frame} ({state}) holds {held}, the device {Device[first + i]}");
                }
            }
        }

        if (!open)
        {
            return;
        }

        foreach (var file in _files)
        {
            file.CheckAtRest();
        }

        Cache.Verify();
    }

    public string? NameOf(nint address) => NameOf(Cache.Engine.Rooms.Frames, address);

    /// <summary>Names the fields of frame headers.</summary>
    public static unsafe string? NameOf(FrameTable frames, nint address)
    {
        var distance = address - (nint)Unsafe.AsPointer(ref frames[0]);
        var size = (nint)Unsafe.SizeOf<FrameHeader>();
        if (distance < 0 || distance >= size * frames.Count)
        {
            return null;
        }

        var field = (int)(distance % size) switch
        {
            0 => $"State ({frames[(int)(distance / size)].State})",
            8 => "Pins",
            16 => "Identity",
            24 => "Next",
            32 => "Record",
            var offset => $"+{offset}",
        };
        return $"frame {distance / size} {field}";
    }

    /// <summary>Threads over this universe, with the check at rest.</summary>
    public Instance Run(params Action[] threads) => new() { Threads = threads, Check = () => Check(), NameOf = NameOf };

    /// <summary>Threads of which one takes the volume or the cache away.</summary>
    public Instance RunToTheEnd(params Action[] threads) =>
        new() { Threads = threads, Check = () => Check(open: false), NameOf = NameOf };

    public static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new Shims.AssertionFailedException(message);
        }
    }
}
