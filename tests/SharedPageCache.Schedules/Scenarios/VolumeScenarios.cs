using SharedPageCache.Frames;
using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Several volumes with equal block numbers over few frames, and frames that are given up for metadata.</summary>
internal static class VolumeScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("two volumes: fill x fill of equal blocks", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var other = new OtherVolume(universe);
            return universe.Run(file.Read(0), other.Read, other.Read);
        }, Bounded: true),
        new("two volumes: discard on one x fill and hit on the other", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10);
            var other = new OtherVolume(universe);
            other.Read();
            return universe.Run(() => universe.Overwrite(10), other.ReadFromMemory, file.Read(0));
        }),
        new("two volumes: relocate on one x fill on the other", () =>
        {
            var universe = new Universe();
            var file = universe.Open(20);
            var other = new OtherVolume(universe);
            file.ReadNow(0);
            return universe.Run(() => universe.Relocate(20, 10), other.Read, file.Read(0));
        }),
        new("two volumes: detach of one x fill of the other x evict", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20);
            var other = new OtherVolume(universe);
            other.Read();
            return universe.Run(other.Detach, other.ReadIfAttached, file.Read(0), file.Read(1));
        }),
        new("two volumes: three frames for all", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20, 30);
            var other = new OtherVolume(universe);
            return universe.Run(file.Read(0), file.Read(1), other.Read, other.Read);
        }),
        new("frames given up x loads x readmitted", () =>
        {
            var universe = new Universe(frames: 5);
            var file = universe.Open(10, 20, 30);
            file.ReadNow(0);
            return universe.Run(
                () => universe.GiveUpFrame(), file.Read(1), file.Read(2), () => universe.Cache.Engine.Rooms.Pool.TryReadmit());
        }),
        new("frames given up x evict x lease", () =>
        {
            var universe = new Universe(frames: 5);
            var file = universe.Open(10, 20);
            file.ReadNow(0);
            file.ReadNow(1);
            return universe.Run(
                () =>
                {
                    universe.GiveUpFrame();
                    universe.GiveUpFrame();
                    universe.Cache.Engine.Rooms.Pool.TryReadmit();
                },
                () => file.TryLease(0, file.Read(1)),
                () => universe.Overwrite(10));
        }),
        new("frames given up x given up x readmitted", () =>
        {
            var universe = new Universe(frames: 6);
            var file = universe.Open(10, 20);
            var pool = universe.Cache.Engine.Rooms.Pool;
            return universe.Run(
                () => universe.GiveUpFrame(), () => universe.GiveUpFrame(), () => pool.TryReadmit(), file.Read(0));
        }),
    ];

    /// <summary>What a balance does for metadata: takes a frame, by evicting if need be, and gives its memory up.</summary>
    private static void GiveUpFrame(this Universe universe)
    {
        var rooms = universe.Cache.Engine.Rooms;
        if (rooms.Supply.TryTake(FrameOwner.Nobody, out var frame))
        {
            Universe.Require(rooms.Frames[frame].State.Load().Phase == FramePhase.Free, "a frame that was taken is free");
            rooms.Pool.Withhold(frame);
            Scheduler.Note($"frame {frame} is given up");
        }
    }

    /// <summary>A second volume whose block 10 is not the first one's.</summary>
    private sealed class OtherVolume
    {
        private readonly Device _device = new(Sector.Size);
        private readonly Sector _held;
        private readonly CachedVolume _volume;
        private readonly MappedFile _file;

        public OtherVolume(Universe universe)
        {
            _held = new Sector(500, 7);
            _device.Write(10, _held);
            _volume = universe.Cache.AttachVolume(_device);
            _file = _volume.OpenFile(new ExtentList(new Extent(0, Sector.Size, 10 * Sector.Size)), Sector.Size);
        }

        public void Read()
        {
            var bytes = new byte[Sector.Size];
            _file.Read(0, bytes);
            RequireOwn(bytes);
        }

        public void ReadFromMemory()
        {
            var bytes = new byte[Sector.Size];
            if (_file.TryRead(0, bytes, out _))
            {
                RequireOwn(bytes);
            }
        }

        public void ReadIfAttached()
        {
            try
            {
                Read();
            }
            catch (ObjectDisposedException)
            {
                Scheduler.Note("the volume is detached");
            }
        }

        public void Detach() => _volume.Dispose();

        private void RequireOwn(ReadOnlySpan<byte> bytes) =>
            Universe.Require(Sector.Of(bytes) == _held, $"the other volume showed {Sector.Of(bytes)} where it has {_held}");
    }
}
