using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>The directory, and what is there again after the volume was closed.</summary>
public sealed class VolumeTests
{
    private const int Block = 4096;

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    [InlineData(65536)]
    public async Task What_was_committed_is_there_again(int blockSize)
    {
        using var path = new TemporaryFile();
        var content = WriteBack.Bytes(40 * blockSize, 1);
        VolumeId id;
        using (var volume = CowVolume.Create(path.Path, new CowVolumeOptions { BlockSize = blockSize, CapacityBytes = 32 << 20 }))
        {
            id = volume.Id;
            var file = volume.CreateFile("Zürich");
            await volume.WriteAsync(file, 0, content);
            await volume.WriteAsync(file, 10_000L * blockSize, content[..blockSize]);
            volume.CreateFile("empty");
            await volume.CommitAsync();
            volume.AssertClean();
        }

        using var again = CowVolume.Open(path.Path);
        Assert.Equal(id, again.Id);
        Assert.Equal(blockSize, again.BlockSize);
        Assert.Equal(["Zürich", "empty"], again.Files.Select(file => file.Name));
        var read = again.ReadAll(again.OpenFile("Zürich"));
        Assert.Equal(10_001 * blockSize, read.Length);
        Assert.Equal(content, read[..content.Length]);
        Assert.Equal(content[..blockSize], read[^blockSize..]);
        Assert.True(read.AsSpan()[content.Length..^blockSize].IndexOfAnyExcept((byte)0) < 0, "between them is a hole");
        again.AssertClean();
    }

    [Fact]
    public async Task What_was_not_committed_is_lost_and_the_rest_is_whole()
    {
        using var path = new TemporaryFile();
        await using (var volume = CowVolume.Create(path.Path, new CowVolumeOptions { CapacityBytes = 8 << 20 }))
        {
            await volume.WriteAsync(volume.CreateFile("kept"), 0, WriteBack.Bytes(Block, 1));
            await volume.CommitAsync();
            await volume.WriteAsync(volume.OpenFile("kept"), 0, WriteBack.Bytes(Block, 2));
            volume.CreateFile("lost");
        }

        using var again = CowVolume.Open(path.Path);
        Assert.Equal("kept", Assert.Single(again.Files).Name);
        Assert.Equal(WriteBack.Bytes(Block, 1), again.ReadAll(again.OpenFile("kept")));
        again.AssertClean();
    }

    [Fact]
    public async Task Files_are_renamed_deleted_and_found_by_their_names()
    {
        var device = new SectorDevice(8 << 20, Block);
        var volume = CowVolume.Create(device);
        var one = volume.CreateFile("one");
        Assert.Throws<IOException>(() => volume.CreateFile("one"));
        volume.CreateFile("two");
        Assert.Throws<IOException>(() => volume.Rename("two", "one"));
        await volume.WriteAsync(one, 0, WriteBack.Bytes(Block, 1));
        volume.Rename("one", "three");
        Assert.Equal("three", one.Name);
        Assert.Same(one, volume.OpenFile("three"));
        Assert.False(volume.TryOpenFile("one", out _));
        Assert.Equal("one", Assert.Throws<FileNotFoundException>(() => volume.OpenFile("one")).FileName);
        Assert.Throws<FileNotFoundException>(() => volume.Delete("one"));
        volume.Delete("two");
        await volume.CommitAsync();
        var id = one.Id;
        volume.Dispose();

        using var again = CowVolume.Open(device);
        Assert.Equal(new FileEntry("three", id, Block), Assert.Single(again.Files));
        Assert.NotEqual(id, again.CreateFile("one").Id);
    }

    [Fact]
    public async Task Very_many_files_are_all_there_again()
    {
        var device = new SectorDevice(32 << 20, 512);
        using (var volume = CowVolume.Create(device))
        {
            for (var i = 0; i < 3000; i++)
            {
                volume.CreateFile($"file {i}").SetLength(i);
            }

            await volume.CommitAsync();
            var written = volume.GetStatistics().MetadataBlocksWritten;
            volume.OpenFile("file 1234").SetLength(1_000_000);
            await volume.CommitAsync();
            Assert.InRange(volume.GetStatistics().MetadataBlocksWritten - written, 2, 5);
        }

        using var again = CowVolume.Open(device);
        Assert.Equal(3000, again.Files.Count);
        Assert.All(again.Files, file => Assert.Equal(
            file.Name == "file 1234" ? 1_000_000 : int.Parse(file.Name[5..]), file.Length));
        again.AssertClean();
    }

    [Fact]
    public async Task An_anonymous_file_is_gone_when_the_volume_is_closed_unless_it_is_linked()
    {
        var device = new SectorDevice(8 << 20, Block);
        using (var volume = CowVolume.Create(device))
        {
            var file = volume.CreateFile("origin");
            await volume.WriteAsync(file, 0, WriteBack.Bytes(Block, 1));
            var linked = file.Clone();
            var forgotten = file.Clone();
            Assert.Null(forgotten.Name);
            await volume.WriteAsync(forgotten, 0, WriteBack.Bytes(Block, 2));
            volume.Link(linked, "linked");
            Assert.Throws<InvalidOperationException>(() => volume.Link(linked, "twice"));
            Assert.Throws<IOException>(() => volume.Link(forgotten, "origin"));
            await volume.CommitAsync();
            Assert.Equal(WriteBack.Bytes(Block, 2), volume.ReadAll(forgotten));
            volume.AssertClean();
        }

        using var again = CowVolume.Open(device);
        Assert.Equal(["linked", "origin"], again.Files.Select(file => file.Name));
        Assert.Equal(WriteBack.Bytes(Block, 1), again.ReadAll(again.OpenFile("linked")));
        Assert.Equal(1, again.GetStatistics().ContentBlocks);
        again.AssertClean();
    }

    [Fact]
    public async Task A_deleted_file_is_read_until_it_is_disposed_and_can_be_linked_again()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(Block, 1));
        volume.Delete("file");
        Assert.Empty(volume.Files);
        Assert.Equal(WriteBack.Bytes(Block, 1), volume.ReadAll(file));
        volume.Link(file, "back");
        await volume.CommitAsync();
        volume.OpenFile("back").Delete();
        file.Dispose();
        Assert.Equal(0, volume.GetStatistics().ContentBlocks);
        Assert.Throws<ObjectDisposedException>(() => file.Extents());
        Assert.Throws<ObjectDisposedException>(() => file.SetLength(1));
        Assert.Throws<ObjectDisposedException>(() => volume.Link(file, "gone"));
        await volume.CommitAsync();
        volume.AssertClean();
    }

    [Fact]
    public void A_closed_volume_refuses_everything()
    {
        var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        volume.Dispose();
        volume.Dispose();
        Assert.Throws<ObjectDisposedException>(() => volume.Files);
        Assert.Throws<ObjectDisposedException>(() => volume.CreateFile("other"));
        Assert.Throws<ObjectDisposedException>(() => volume.OpenFile("file"));
        Assert.Throws<ObjectDisposedException>(() => volume.Check());
        Assert.Throws<ObjectDisposedException>(() => { _ = volume.CommitAsync(); });
        Assert.Throws<ObjectDisposedException>(() => file.SetLength(5));
        Assert.Throws<ObjectDisposedException>(() => file.Clone());
    }

    [Theory]
    [InlineData("")]
    [InlineData("ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää")]
    public void A_name_that_cannot_be_kept_is_refused(string name)
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        Assert.ThrowsAny<ArgumentException>(() => volume.CreateFile(name));
        Assert.ThrowsAny<ArgumentException>(() => volume.Rename("file", name));
        Assert.ThrowsAny<ArgumentException>(() => file.Clone(name));
        Assert.ThrowsAny<ArgumentException>(() => volume.Link(file, name));
        Assert.Equal("file", Assert.Single(volume.Files).Name);
        volume.AssertClean();
    }

    [Fact]
    public void A_name_that_is_no_text_is_refused()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        Assert.ThrowsAny<ArgumentException>(() => volume.CreateFile("half of a \ud800 pair"));
    }

    [Fact]
    public async Task A_name_of_255_bytes_and_any_characters_is_kept()
    {
        var device = new SectorDevice(8 << 20, 512);
        var name = "/.\0\n " + new string('x', 250);
        using (var volume = CowVolume.Create(device))
        {
            volume.CreateFile(name);
            await volume.CommitAsync();
        }

        using var again = CowVolume.Open(device);
        Assert.Equal(name, Assert.Single(again.Files).Name);
    }

    [Theory]
    [InlineData(1000, 1 << 20)]
    [InlineData(256, 1 << 20)]
    [InlineData(4096, 1 << 17)]
    [InlineData(4096, -1)]
    public void A_volume_that_cannot_be_is_not_made(int blockSize, long capacity)
    {
        using var path = new TemporaryFile();
        Assert.Throws<ArgumentOutOfRangeException>(
            () => CowVolume.Create(path.Path, new CowVolumeOptions { BlockSize = blockSize, CapacityBytes = capacity }));
        Assert.False(File.Exists(path.Path));
    }

    [Fact]
    public void A_volume_is_never_made_over_a_file()
    {
        using var path = new TemporaryFile();
        File.WriteAllText(path.Path, "precious");
        Assert.Throws<IOException>(() => CowVolume.Create(path.Path));
        Assert.Equal("precious", File.ReadAllText(path.Path));
        Assert.Throws<VolumeCorruptException>(() => CowVolume.Open(path.Path));
        Assert.Throws<FileNotFoundException>(() => CowVolume.Open(path.Path + ".not"));
    }
}
