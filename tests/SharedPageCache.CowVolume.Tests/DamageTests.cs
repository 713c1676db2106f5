using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>What the disk has spoilt is found, by opening and by Check.</summary>
public sealed class DamageTests
{
    private const int Block = 4096;

    [Fact]
    public async Task With_a_damaged_superblock_the_other_one_counts()
    {
        var device = new SectorDevice(8 << 20, Block);
        using (var volume = CowVolume.Create(device))
        {
            await volume.WriteAsync(volume.CreateFile("file"), 0, WriteBack.Bytes(300 * Block, 1));
            await volume.CommitAsync();
            for (var i = 2; i < 9; i++)
            {
                // The older state stays intact whatever is overwritten after it.
                await volume.WriteAsync(volume.OpenFile("file"), 0, WriteBack.Bytes(300 * Block, i));
                await volume.CommitAsync();
            }
        }

        var newest = device.AfterPowerCut(new Random(1));
        var generations = Enumerable.Range(0, 2).Select(slot => BitConverter.ToInt64(newest.Take(slot * 65536L, Block), 16)).ToList();
        Assert.Equal(1, Math.Abs(generations[0] - generations[1]));
        newest.Damage((generations[0] > generations[1] ? 0 : 65536) + 30);
        using (var older = CowVolume.Open(newest))
        {
            Assert.Equal(WriteBack.Bytes(300 * Block, 7), older.ReadAll(older.OpenFile("file")));
            older.AssertClean();
        }

        var oldest = device.AfterPowerCut(new Random(1));
        oldest.Damage((generations[0] > generations[1] ? 65536 : 0) + 30);
        using (var good = CowVolume.Open(oldest))
        {
            Assert.Equal(WriteBack.Bytes(300 * Block, 8), good.ReadAll(good.OpenFile("file")));
            good.AssertClean();
        }

        device.Damage(30);
        device.Damage(65536 + 30);
        Assert.Contains("checksum", Assert.Throws<VolumeCorruptException>(() => CowVolume.Open(device)).Message);
    }

    [Fact]
    public async Task Any_damaged_metadata_block_is_a_typed_error_and_a_violation()
    {
        var device = new SectorDevice(8 << 20, Block);
        using var volume = CowVolume.Create(device);
        await volume.WriteAsync(volume.CreateFile("file"), 0, WriteBack.Bytes(300 * Block, 1));
        await volume.CommitAsync();
        await volume.ReclaimAsync();
        volume.AssertClean();

        // Three leaves and their root, the record, the node of the tree of files; all at the end of the volume.
        for (var i = 1; i <= 6; i++)
        {
            var offset = device.Length - (i * Block);
            var before = device.Take(offset, Block);
            foreach (var at in new[] { 0, 5, 9, 17, 25, 33, 100, 4000 })
            {
                var damaged = device.AfterPowerCut(new Random(1));
                damaged.Damage(offset + at);
                Assert.Contains($"block {offset / Block}", Assert.Throws<VolumeCorruptException>(() => CowVolume.Open(damaged)).Message);
                device.Damage(offset + at);
                Assert.Contains(volume.Check().Violations, violation => violation.Contains($"block {offset / Block}"));
                device.Put(offset, before);
            }
        }

        volume.AssertClean();
    }

    [Fact]
    public async Task A_write_of_metadata_that_the_disk_lost_is_found()
    {
        var device = new SectorDevice(8 << 20, Block);
        using var volume = CowVolume.Create(device);
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(Block, 1));
        await volume.CommitAsync();
        var leaf = Enumerable.Range(1, 3).Select(i => device.Length - (i * Block))
            .Single(offset => device.Take(offset, Block).AsSpan().StartsWith("CLEF"u8));
        var old = device.Take(leaf, Block);
        file.SetLength(0);
        for (var i = 0; device.Take(leaf, Block) is var now && (now[0] != 'C' || now.AsSpan().SequenceEqual(old)); i++)
        {
            await volume.WriteAsync(file, 0, WriteBack.Bytes((1 + (i % 5)) * Block, i));
            await volume.ReclaimAsync();
            Assert.True(i < 100, "the block is used again");
        }

        // The block of long ago is whole and in its place, only old.
        volume.AssertClean();
        device.Put(leaf, old);
        Assert.Contains(volume.Check().Violations, violation => violation.Contains($"block {leaf / Block}: it is a whole block"));
        volume.Dispose();
        Assert.Throws<VolumeCorruptException>(() => CowVolume.Open(device));
    }

    [Fact]
    public async Task A_write_that_went_to_another_block_is_found()
    {
        var device = new SectorDevice(8 << 20, Block);
        using var volume = CowVolume.Create(device);
        volume.CreateFile("one");
        volume.CreateFile("two");
        await volume.CommitAsync();
        var last = (device.Length / Block) - 1;
        device.Put((last - 1) * Block, device.Take((last - 2) * Block, Block));
        Assert.Contains(
            volume.Check().Violations, violation => violation.Contains($"block {last - 1}: it holds what belongs to block {last - 2}"));
    }

    [Fact]
    public void What_is_no_volume_or_another_block_size_is_refused()
    {
        Assert.Throws<VolumeCorruptException>(() => CowVolume.Open(new SectorDevice(8 << 20, Block)));
        Assert.Throws<VolumeCorruptException>(() => CowVolume.Open(new SectorDevice(4096, Block)));
        var device = new SectorDevice(8 << 20, Block);
        CowVolume.Create(device).Dispose();
        var smaller = new SectorDevice(4 << 20, Block);
        var other = new SectorDevice(8 << 20, 512);
        for (var slot = 0; slot < 2; slot++)
        {
            smaller.Put(slot * 65536, device.Take(slot * 65536, Block));
            other.Put(slot * 65536, device.Take(slot * 65536, Block));
        }

        Assert.Contains("2048 blocks", Assert.Throws<VolumeCorruptException>(() => CowVolume.Open(smaller)).Message);
        Assert.Contains("block size", Assert.Throws<VolumeCorruptException>(() => CowVolume.Open(other)).Message);
    }

    [Fact]
    public async Task Random_bytes_in_the_metadata_never_do_worse_than_a_typed_error()
    {
        var device = new SectorDevice(2 << 20, 512);
        using (var volume = CowVolume.Create(device))
        {
            var file = volume.CreateFile("file");
            await volume.WriteAsync(file, 0, WriteBack.Bytes(300 * 512, 1));
            file.Clone("clone");
            await volume.ReclaimAsync();
        }

        var random = new Random(7);
        for (var i = 0; i < 300; i++)
        {
            var damaged = device.AfterPowerCut(random);
            damaged.Damage(damaged.Length - 1 - random.Next(20 * 512));
            if (i % 2 == 0)
            {
                damaged.Damage(random.Next(96));
            }

            Assert.Throws<VolumeCorruptException>(() => CowVolume.Open(damaged));
        }
    }
}
