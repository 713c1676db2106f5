using SharedPageCache.Tests.Support;
using SharedPageCache.Tests.WorkedEngine;

namespace SharedPageCache.Tests;

/// <summary>The engine of docs/engine-guide.md compiles, is what the guide shows, and shows each file its own bytes.</summary>
public sealed class WorkedEngineTests : IDisposable
{
    private const int Block = 4096;
    private const int DeviceBlocks = 48;
    private const int FileBlocks = 6;

    private readonly string _path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
    private readonly FileBlockDevice _device;
    private readonly PageCache _cache;
    private readonly BlockStore _store;

    public WorkedEngineTests()
    {
        File.WriteAllBytes(_path, new byte[DeviceBlocks * Block]);
        _device = FileBlockDevice.Open(_path, new FileBlockDeviceOptions { Writable = true, DirectIO = false });
        _cache = new PageCache(new PageCacheOptions { ExactFrameCount = 24, HugePages = false, MaxReadAheadPages = 0 });
        _store = new BlockStore(_cache, _device);
    }

    public void Dispose()
    {
        _cache.Verify();
        _store.Dispose();
        _cache.Dispose();
        _device.Dispose();
        File.Delete(_path);
    }

    [Fact]
    [Trait("Row", "J2")]
    public void The_guide_shows_it_word_for_word() =>
        Assert.Equal(
            Snippet.OfSource("tests/SharedPageCache.Tests/WorkedEngine.cs", "worked-engine"),
            Snippet.OfPage("docs/engine-guide.md", "## A whole engine"));

    [Fact]
    [Trait("Row", "J2")]
    public void A_clone_shares_pages_until_one_of_the_two_changes()
    {
        var origin = _store.Create(FileBlocks);
        _store.Overwrite(origin, 0, Bytes(1));
        var clone = _store.Clone(origin);
        Assert.Equal((1, 1, 1L), (WordOf(origin, 0), WordOf(clone, 0), _cache.GetStatistics().DeviceReads));
        _store.Overwrite(origin, 0, Bytes(2));
        Assert.Equal((2, 1), (WordOf(origin, 0), WordOf(clone, 0)));
        Assert.Equal(0, WordOf(clone, 1));
    }

    [Fact]
    [Trait("Row", "J2")]
    public void What_moved_is_not_read_again()
    {
        var file = _store.Create(FileBlocks);
        _store.Overwrite(file, 0, Bytes(1));
        Assert.Equal(1, WordOf(file, 0));
        var (block, reads) = (file.Blocks[0], _cache.GetStatistics().DeviceReads);
        _store.Move(file, 0);
        Assert.NotEqual(block, file.Blocks[0]);
        Assert.Equal((1, reads), (WordOf(file, 0), _cache.GetStatistics().DeviceReads));
    }

    [Theory]
    [Trait("Row", "J2")]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Every_file_always_shows_what_was_written_to_it(int seed)
    {
        var dice = new Random(seed);
        var files = new List<(StoredFile File, int[] Words)> { (_store.Create(FileBlocks), new int[FileBlocks]) };
        for (var step = 1; step <= 1500; step++)
        {
            var (file, words) = files[dice.Next(files.Count)];
            var index = dice.Next(FileBlocks);
            switch (dice.Next(8))
            {
                case 0 when files.Count < 6:
                    files.Add((_store.Clone(file), [.. words]));
                    break;
                case 1 when files.Count > 1:
                    _store.Delete(file);
                    files.RemoveAll(each => each.File == file);
                    break;
                case 2 when file.Blocks[index] != StoredFile.Hole:
                    _store.Move(file, index);
                    break;
                case 3 or 4:
                    _store.Overwrite(file, index, Bytes(step));
                    words[index] = step;
                    break;
                default:
                    Assert.True(words[index] == WordOf(file, index), $"seed {seed}, step {step}: block {index} shows {WordOf(file, index)}, not {words[index]}");
                    break;
            }
        }
    }

    [Fact]
    [Trait("Row", "J2")]
    public async Task Readers_beside_the_changes_see_only_what_was_written_to_their_file()
    {
        // The word of a block is the file's number; blocks go from file to file all the time.
        var files = Enumerable.Range(1, 4).Select(_ => _store.Create(FileBlocks)).ToArray();
        using var done = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 2).Select(reader => Task.Run(() =>
        {
            var dice = new Random(reader);
            while (!done.IsCancellationRequested)
            {
                var number = dice.Next(files.Length);
                var word = WordOf(files[number], dice.Next(FileBlocks));
                Assert.True(word == 0 || word == number + 1, $"file {number + 1} shows a block of file {word}");
            }
        })).ToArray();
        var changes = new Random(7);
        for (var step = 0; step < 600 && !readers.Any(reader => reader.IsFaulted); step++)
        {
            var number = changes.Next(files.Length);
            var index = changes.Next(FileBlocks);
            if (changes.Next(4) == 0 && files[number].Blocks[index] != StoredFile.Hole)
            {
                _store.Move(files[number], index);
            }
            else
            {
                _store.Overwrite(files[number], index, Bytes(number + 1));
            }
        }

        await done.CancelAsync();
        await Task.WhenAll(readers);
    }

    private static byte[] Bytes(int word)
    {
        var bytes = new byte[Block];
        for (var at = 0; at < Block; at += 4)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(at), word);
        }

        return bytes;
    }

    private static int WordOf(StoredFile file, int index)
    {
        var bytes = new byte[Block];
        Assert.Equal(Block, file.Mapped.Read((long)index * Block, bytes));
        var word = BitConverter.ToInt32(bytes);
        Assert.True(bytes.AsSpan().SequenceEqual(Bytes(word)), "a mix of two contents");
        return word;
    }
}
