using SharedPageCache.Eviction;
using SharedPageCache.Mappings;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Capacity;

/// <summary>When the garbage collector is told to look, and when it is left in peace.</summary>
public class NodeGarbageTests
{
    private const int Little = 100;

    private readonly NodeLedger _ledger = new();
    private readonly ManualClock _clock = new();

    /// <summary>How long a look takes, and what it brings.</summary>
    private long _look;
    private long _freed;

    [Fact]
    [Trait("Contract", "C9")]
    public void It_looks_when_much_has_come_and_when_something_was_let_go()
    {
        var garbage = Make(openFiles: 0);
        _ledger.AddNode(Little - 1);
        Assert.False(garbage.TryCollect());
        _ledger.AddNode(1);
        Assert.True(garbage.TryCollect());
        Assert.False(garbage.TryCollect());
        _ledger.FileClosed();
        Assert.True(garbage.TryCollect());
        _ledger.FilesReleased(1);
        Assert.True(garbage.TryCollect());
        Assert.False(garbage.TryCollect());
    }

    [Fact]
    [Trait("Contract", "C9")]
    public void Where_looks_bring_little_they_rest_unless_many_files_were_closed()
    {
        var garbage = Make(openFiles: 80);
        _ledger.AddNode(Little);
        _look = 10;
        Assert.True(garbage.TryCollect());

        // One file of 80: only when nine times as long has passed as the look has taken.
        _ledger.FileClosed();
        Assert.False(garbage.TryCollect());
        _clock.Now += 89;
        Assert.False(garbage.TryCollect());
        _clock.Now++;
        Assert.True(garbage.TryCollect());

        // An eighth of them: at once.
        for (var i = 0; i < 10; i++)
        {
            Assert.False(garbage.TryCollect());
            _ledger.FileClosed();
        }

        Assert.True(garbage.TryCollect());

        // However long the look has taken, a second is counted.
        _look = 60 * _clock.TimestampFrequency;
        _ledger.AddNode(Little);
        Assert.True(garbage.TryCollect());
        _look = 0;
        _ledger.FileClosed();
        _clock.Now += 9 * _clock.TimestampFrequency;
        Assert.True(garbage.TryCollect());
    }

    [Fact]
    [Trait("Contract", "C9")]
    public void A_look_that_brings_much_may_be_followed_by_another()
    {
        var garbage = Make(openFiles: 80);
        _ledger.AddNode(3 * Little);
        (_look, _freed) = (10, Little);
        Assert.True(garbage.TryCollect());
        _ledger.FileClosed();
        Assert.True(garbage.TryCollect());
        _freed = 0;
        _ledger.FileClosed();
        Assert.True(garbage.TryCollect());
        _ledger.FileClosed();
        Assert.False(garbage.TryCollect());
    }

    [Fact]
    [Trait("Contract", "C9")]
    public void What_only_closed_files_reached_is_collected_before_anybody_is_refused()
    {
        using var cache = new TestCache(capacity: 1 << 20);
        var files = new List<MappedFile>();
        MappedFile OpenWide()
        {
            // A root of 256 windows: most of what such a file costs is found to be garbage by the collector only.
            const long Length = 512 << 20;
            return cache.Volume.OpenFile(new ListExtents(Extent.Hole(0, Length)), Length);
        }

        Assert.Throws<CacheCapacityException>(() =>
        {
            while (files.Count < 10_000)
            {
                files.Add(OpenWide());
            }
        });
        for (var round = 0; round < 3; round++)
        {
            var most = files.Count;
            Assert.InRange(most, 100, 1000);
            files.ForEach(static file => file.Dispose());
            files.Clear();
            while (files.Count < most * 9 / 10)
            {
                files.Add(OpenWide());
            }
        }

        files.ForEach(static file => file.Dispose());
    }

    private NodeGarbage Make(long openFiles) => new(_ledger, () => openFiles, Little, _clock, Look);

    private void Look()
    {
        _clock.Now += _look;
        _ledger.RemoveNode(_freed);
    }

    private sealed class ManualClock : TimeProvider
    {
        public long Now { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Now;
    }
}
