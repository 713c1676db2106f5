namespace SharedPageCache.TestKit.Tests.Devices;

/// <summary>Each bad device does what its name says, and nothing else.</summary>
public sealed class DeviceTests
{
    private const int Block = 512;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_nth_call_fails_once_or_for_ever(bool forever)
    {
        var device = new FailNthCallDevice(new MemoryDevice(8 * Block, Block), DeviceCalls.Write | DeviceCalls.Flush) { FailAt = 2, Forever = forever };
        await WriteAsync(device, 0, 1);
        await ReadAsync(device, 0, 1);
        await Assert.ThrowsAsync<IOException>(() => WriteAsync(device, 1, 1));
        var again = await Record.ExceptionAsync(() => device.FlushAsync(default).AsTask());
        Assert.Equal(forever, again is IOException);
        Assert.Equal((forever ? 2 : 1, 3), (device.Failures, device.Calls));
        device.Heal();
        await WriteAsync(device, 2, 1);
        Assert.Equal([0, 0], (await ReadAsync(device, 1, 1))[..2]);
    }

    [Fact]
    public async Task A_synchronous_read_fails_too()
    {
        var device = new FailNthCallDevice(new MemoryDevice(8 * Block, Block), DeviceCalls.Read) { FailAt = 1 };
        Assert.Throws<IOException>(() => device.Read(new BlockRun(0, Block), default, [new byte[Block]]));
        Assert.Equal(Block, device.Read(new BlockRun(0, Block), default, [new byte[Block]]));
        await ReadAsync(device, 0, 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Short_transfers_make_progress_and_lose_nothing(ulong seed)
    {
        var memory = new MemoryDevice(128 * Block, Block).Stamp();
        var device = new ShortTransferDevice(memory, seed);
        var bytes = new byte[64 * Block];
        var calls = 0;
        for (var at = 0; at < bytes.Length; calls++)
        {
            var told = await device.ReadAsync(new BlockRun(at, bytes.Length - at), default, [bytes.AsMemory(at)], default);
            Assert.InRange(told, Block, bytes.Length - at);
            at += told / Block * Block;
        }

        Assert.Equal(memory.Copy(0, bytes.Length), bytes);
        for (var at = 0; at < bytes.Length; calls++)
        {
            ReadOnlyMemory<byte>[] parts = [bytes.AsMemory(at, Block), bytes.AsMemory(at + Block)];
            var told = await device.WriteAsync(new BlockRun(64 * Block + at, bytes.Length - at), default, parts, default);
            at += told / Block * Block;
        }

        Assert.Equal(bytes, memory.Copy(64 * Block, bytes.Length));
        Assert.InRange(device.ShortTransfers, 1, calls);
        Assert.True(calls > 2);
    }

    [Fact]
    public async Task Held_calls_wait_until_they_are_released_or_fail()
    {
        var device = new HeldCallDevice(new MemoryDevice(8 * Block, Block));
        var arrived = device.HoldAsync(DeviceCalls.Write, static run => run.Offset == Block);
        await WriteAsync(device, 0, 1);
        var held = WriteAsync(device, 1, 1);
        await arrived.WaitAsync(Patience);
        Assert.Equal(1, device.Held);
        Assert.False(held.IsCompleted);
        device.Release();
        await held.WaitAsync(Patience);

        arrived = device.HoldAsync(DeviceCalls.Flush);
        var flush = device.FlushAsync(default).AsTask();
        await arrived.WaitAsync(Patience);
        device.Release(new IOException("no."));
        await Assert.ThrowsAsync<IOException>(() => flush.WaitAsync(Patience));
        await device.FlushAsync(default);
    }

    [Fact]
    public async Task A_misdirected_write_says_that_all_is_well()
    {
        var memory = new MemoryDevice(8 * Block, Block);
        var device = new MisdirectedWriteDevice(memory) { MisdirectAt = 2, Distance = -1 };
        await WriteAsync(device, 3, 1);
        await WriteAsync(device, 5, 2);
        Assert.Equal((new BlockRun(5 * Block, Block), new BlockRun(4 * Block, Block)), device.Misdirected);
        Assert.Equal([0, 0, 0, 1, 2, 0, 0, 0], Enumerable.Range(0, 8).Select(block => (int)memory.Bytes[block * Block]));
    }

    [Fact]
    public async Task A_slow_device_does_every_call()
    {
        var memory = new MemoryDevice(8 * Block, Block);
        var device = new SlowCallDevice(memory, TimeSpan.FromMilliseconds(3), oneIn: 2, seed: 1);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(block => WriteAsync(device, block, block + 1)));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], Enumerable.Range(0, 8).Select(block => (int)memory.Bytes[block * Block]));
    }

    [Fact]
    public async Task After_a_power_cut_each_sector_is_old_or_any_written_since_and_all_combinations_are_there()
    {
        var device = new SectorDevice(8 * Block, Block);
        await WriteAsync(device, 0, 1);
        await WriteAsync(device, 1, 1);
        await device.FlushAsync(default);
        await WriteAsync(device, 0, 2);
        await WriteAsync(device, 0, 3);
        await WriteAsync(device, 1, 4);
        Assert.Equal(6, device.PowerCuts);
        var states = device.AllPowerCuts().Select(static state => (First(state, 0), First(state, 1))).ToList();
        Assert.Equal([(1, 1), (1, 4), (2, 1), (2, 4), (3, 1), (3, 4)], states.Order());
        Assert.Equal((1, 1), (First(device.Durable(), 0), First(device.Durable(), 1)));
        for (var luck = 0; luck < 50; luck++)
        {
            var after = device.AfterPowerCut(new Random(luck));
            Assert.Contains((First(after, 0), First(after, 1)), states);
        }

        await device.FlushAsync(default);
        Assert.Equal((3, 4), Assert.Single(device.AllPowerCuts().Select(static state => (First(state, 0), First(state, 1)))));
    }

    [Fact]
    public async Task Disks_with_one_power_lose_it_together()
    {
        var power = new PowerSupply();
        var (left, right) = (new SectorDevice(8 * Block, Block, power), new SectorDevice(8 * Block, Block, power));
        power.CutAfter(2);
        await WriteAsync(left, 0, 1);
        await right.FlushAsync(default);
        Assert.False(power.IsCut);
        await Assert.ThrowsAsync<IOException>(() => WriteAsync(right, 0, 1));
        await Assert.ThrowsAsync<IOException>(() => left.FlushAsync(default).AsTask());
        Assert.True(power.IsCut);
        Assert.Equal((2, 2), (left.PowerCuts, right.PowerCuts));
    }

    [Fact]
    public async Task A_file_of_a_cache_is_a_device()
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 1 << 20, PageSize = Block, HugePages = false });
        var engine = new SharedPageCache.Tests.Writing.PageEngine(64, Block);
        using var volume = cache.AttachVolume(new MemoryDevice(64 * Block, Block), new VolumeOptions { Placement = engine });
        engine.Volume = volume;
        using var file = volume.OpenFile(engine.Create(8 * Block), 8 * Block);
        var device = new MappedFileDevice(file, Block);
        await WriteAsync(device, 3, 7);
        Assert.Equal(7, (await ReadAsync(device, 3, 1))[0]);
        Assert.Equal(0, engine.Persists);
        await device.FlushAsync(default);
        Assert.Equal(1, engine.Persists);
    }

    private static int First(SectorDevice device, int block) => device.Take(block * Block, Block)[0];

    private static async Task WriteAsync(IBlockDevice device, int block, int value)
    {
        var bytes = new byte[Block];
        Array.Fill(bytes, (byte)value);
        Assert.Equal(Block, await device.WriteAsync(new BlockRun(block * Block, Block), default, [bytes], default));
    }

    private static async Task<byte[]> ReadAsync(IBlockDevice device, int block, int count)
    {
        var bytes = new byte[count * Block];
        Assert.Equal(bytes.Length, await device.ReadAsync(new BlockRun(block * Block, bytes.Length), default, [bytes], default));
        return bytes;
    }
}
