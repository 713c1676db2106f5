using SharedPageCache.Frames;
using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Writeback;

namespace SharedPageCache.Schedules.World;

/// <summary>A tiny cache over one volume that can be written, with files that know what was written to them.</summary>
internal sealed class WriteUniverse
{
    /// <summary>Pages that a file can grow to.</summary>
    private const int MostPages = 6;

    private readonly List<WrittenFile> _files = [];
    private long _now;
    private int _contents;

    /// <param name="frames">Frames of the cache.</param>
    /// <param name="volumeNumbers">How many volumes there may be at a time.</param>
    /// <param name="inPlace">Whether pages are placed where they are, if nobody else shows the block.</param>
    /// <param name="generations">Whether the engine counts how often a block was given out.</param>
    /// <param name="tellsOfFreed">Whether the engine tells of a block before it gives it out again.</param>
    /// <param name="mostDirty">The most dirty pages of all volumes; 0 for the cache's own limit.</param>
    /// <param name="beside">The universe in whose cache this one is another volume; null for a cache of its own.</param>
    public WriteUniverse(
        int frames = 24, int volumeNumbers = 2, bool inPlace = false, bool generations = false, bool tellsOfFreed = true, int mostDirty = 0,
        WriteUniverse? beside = null)
    {
        Cache = beside?.Cache ?? new PageCache(new PageCacheOptions
        {
            ExactFrameCount = frames,
            PageSize = Sector.Size,
            MaxReadAheadPages = 0,
            HugePages = false,
            Policy = EvictionPolicy.Clock,
            DirtyAge = TimeSpan.FromMilliseconds(10),
            DirtyLimitBytes = mostDirty == 0 ? null : mostDirty * Sector.Size,
            TimeProvider = new SteppingClock(),
            VolumeNumbers = volumeNumbers,
            Checked = CheckedWorld.IsOn,
        });
        Device = new WriteDevice { Grain = inPlace ? Sector.Size / 4 : Sector.Size / 2 };
        Store = new Store(Device) { PlacesInPlace = inPlace, HasGenerations = generations, TellsOfFreed = tellsOfFreed };
        Volume = Cache.AttachVolume(Device, new VolumeOptions { Placement = Store });
        Map = Cache.Engine.Rooms.Volumes.All().Single(volume => volume.Id == Volume.Id);
        _contents = beside is null ? 0 : 50_000;
        Store.Volume = Volume;
        Device.Guard = Store.RequireOwnOfWriteback;
        Store.Persisted = () => _files.ForEach(static file => file.RequireSoundAfterCrash());
    }

    public PageCache Cache { get; }

    public CachedVolume Volume { get; }

    public WriteDevice Device { get; }

    public Store Store { get; }

    public long Tick() => ++_now;

    /// <summary>A content that was nowhere before.</summary>
    public Sector Fresh() => new(++_contents, 1);

    /// <summary>Opens a file whose pages lie where the numbers say; -1 is a hole.</summary>
    public WrittenFile Open(params long[] blocks) => Open(0, blocks);

    /// <summary>Opens a file that is found again by a number.</summary>
    public WrittenFile Open(ulong id, params long[] blocks) => Open(new StoredFile(Store, blocks.Length), id, blocks);

    /// <summary>Opens a file whose clones are made by a call that is not in memory.</summary>
    public WrittenFile OpenClonedByCall(params long[] blocks) => Open(new FileClonedByCall(Store, blocks.Length), 0, blocks);

    /// <summary>The same, of an engine that has nothing flushed while nothing of the file is dirty.</summary>
    public WrittenFile OpenClonedPromptly(params long[] blocks) => Open(new FileClonedPromptly(Store, blocks.Length), 0, blocks);

    private WrittenFile Open(StoredFile stored, ulong id, long[] blocks)
    {
        for (var page = 0; page < blocks.Length; page++)
        {
            if (blocks[page] >= 0)
            {
                stored.Blocks[page] = blocks[page];
            }
        }

        stored.Image().BecomesDurable();
        var file = Volume.OpenFile(stored, (long)blocks.Length * Sector.Size, new FileOpenOptions { Id = FileId.FromNumber(id) });
        return Add(new WrittenFile(this, file, [.. Enumerable.Range(0, MostPages * 2).Select(
            half => new History(half / 2 < blocks.Length && blocks[half / 2] >= 0 ? WriteDevice.Original(blocks[half / 2]) : Sector.Zero))]));
    }

    public WrittenFile Add(WrittenFile file)
    {
        _files.Add(file);
        return file;
    }

    /// <summary>Opens a file of somebody else over a block.</summary>
    public MappedFile OpenStranger(long block)
    {
        var stored = new StoredFile(Store, 1);
        stored.Blocks[0] = block;
        return Volume.OpenFile(stored, Sector.Size);
    }

    /// <summary>Flushes the whole volume.</summary>
    public void FlushAll() => Volume.FlushAsync().AsTask().GetAwaiter().GetResult();

    /// <summary>Another volume is attached, over the same device; it must show what the device holds. Detached again.</summary>
    public void ReadAllBlocksOfASuccessor()
    {
        using var successor = Cache.AttachVolume(Device);
        var stored = new StoredFile(Store, 12);
        for (var block = 0; block < 12; block++)
        {
            stored.Blocks[block] = block;
        }

        using var file = successor.OpenFile(stored, 12 * Sector.Size);
        var bytes = new byte[Sector.Size];
        for (var block = 0; block < 12; block++)
        {
            file.Read(block * Sector.Size, bytes);
            Require(bytes.AsSpan().SequenceEqual(Device.Now(block)), $"block {block} of the successor shows what was its predecessor's");
        }
    }

    /// <summary>Whether the cache has a block for a write-back that is under way.</summary>
    public bool IsBeingWritten(long block) => Map.Placed.Contains(block);

    /// <summary>Evicts what can be evicted.</summary>
    public void Evict()
    {
        while (Cache.Engine.Rooms.Reclaimer.TryEvict(out var frame))
        {
            Cache.Engine.Rooms.Pool.Push(frame);
        }
    }

    /// <summary>One round of the background writer, which has no thread of its own here.</summary>
    public void WriteInBackground() =>
        Require(((VolumeWriter)Map.Writer!).RoundAsync().IsCompleted, "a logical thread waits by blocking");

    public static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new Shims.AssertionFailedException(message);
        }
    }

    /// <summary>Threads over this universe, with the check at rest.</summary>
    public Instance Run(params Action[] threads) => new() { Threads = threads, Check = Check, NameOf = NameOf };

    /// <summary>Threads over this universe and one beside it, with the check of both at rest.</summary>
    public Instance RunWith(WriteUniverse other, params Action[] threads) => new()
    {
        Threads = threads,
        Check = () =>
        {
            Check();
            other.Check();
            Check();
        },
        NameOf = NameOf,
    };

    /// <summary>Threads of which one takes the volume away.</summary>
    public Instance RunToTheEnd(params Action[] threads) =>
        new() { Threads = threads, Check = () => CheckFrames(static phase => phase == FramePhase.Free), NameOf = NameOf };

    /// <summary>The volume's inside; also when it is detached.</summary>
    private Mappings.VolumeMap Map { get; }

    private string? NameOf(nint address) => Universe.NameOf(Cache.Engine.Rooms.Frames, address);

    /// <summary>
    /// At rest: the self-check; true reads, again from the device by the leaves' runs, and again by the engine's extents; all of it
    /// durable once it is flushed; nothing dirty, placed or pinned after that.
    /// </summary>
    private void Check()
    {
        CheckFrames(static phase => phase is FramePhase.Free or FramePhase.Clean or FramePhase.Dirty);
        RequireOwners();
        var open = _files.FindAll(static file => !file.File.IsClosed && !file.Stored.IsDeleted);
        var shown = open.ConvertAll(static file => file.ReadAll());
        (Device.FailingWrites, Device.FailingFlushes) = (0, 0);
        (Store.FailingPlaces, Store.FailingPublishes, Store.FailingPersists) = (0, 0, 0);
        FlushAll();
        Require(Map.Dirty.Count == 0, $"{Map.Dirty.Count} pages are dirty after the flush");
        Require(Store.Placed.Count == 0, $"blocks {string.Join(", ", Store.Placed)} were placed and neither published nor given back");
        CheckFrames(phase => phase is FramePhase.Free or FramePhase.Clean || Cache.Engine.Rooms.Volumes.All().Length > 1);
        var begun = Tick();
        open.ForEach(file => file.RequireDurable(begun));
        RequireSame("after the flush");
        Evict();
        RequireSame("from the device");
        Volume.Discard(new BlockRun(0, Device.Length));
        RequireSame("by the engine's extents");
        Cache.Verify();

        void RequireSame(string when)
        {
            for (var i = 0; i < open.Count; i++)
            {
                Require(open[i].ReadAll().SequenceEqual(shown[i]), $"file {i} showed {string.Join(", ", shown[i])}, and {when} {string.Join(", ", open[i].ReadAll())}");
            }
        }
    }

    /// <summary>Whoever takes the last place of a dirty page away frees its frame in the same step: at rest none is nobody's.</summary>
    private void RequireOwners()
    {
        foreach (var (frame, entry) in Map.Dirty.All())
        {
            var owners = new OwnerWalk(Cache.Engine.Rooms.Rmap, Map.Families).Find(frame, entry.Generation);
            Require(owners.Count > 0, $"nobody shows the dirty frame {frame} of page {entry.Page} (P4)");
        }
    }

    private void CheckFrames(Func<FramePhase, bool> mayBe)
    {
        Cache.Verify();
        var rooms = Cache.Engine.Rooms;
        for (var frame = 0; frame < rooms.Frames.Count; frame++)
        {
            var state = rooms.Frames[frame].State.Load();
            Require(rooms.Frames[frame].Pins == 0, $"frame {frame} ({state}) still has {rooms.Frames[frame].Pins} pins");
            Require(mayBe(state.Phase) && !state.IsExclusive, $"frame {frame} is {state} at rest");
            if (state.Phase == FramePhase.Clean && rooms.Frames.IdentityOf(frame) is { IsSome: true } identity
                && identity.Volume == Map.Number && identity.Generation == Store.GenerationOf(identity.Block))
            {
                Require(
                    rooms.Arena.Span(frame).SequenceEqual(Device.Now(identity.Block)),
                    $"frame {frame} ({state}) does not hold what the device has in block {identity.Block}");
            }
        }
    }

    /// <summary>A clock that goes on by itself at every look, in equal steps: whatever is dirty is old enough, in every replay.</summary>
    private sealed class SteppingClock : TimeProvider
    {
        private long _calls;

        public override long GetTimestamp() => ++_calls * (TimestampFrequency / 100);
    }
}
