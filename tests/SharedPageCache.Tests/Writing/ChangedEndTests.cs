using System.Buffers;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Writing;

/// <summary>What a file shows whose engine answers otherwise for a page than before, while another page of the window is dirty or gone.</summary>
public sealed class ChangedEndTests
{
    private const int Page = 4096;

    /// <summary>
    /// An engine may keep the part of a block in another one, or read it otherwise: a file system zeroes what is behind the new end,
    /// in a copy if the block is shared.
    /// </summary>
    [Theory]
    [Trait("Contract", "C2")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_page_in_which_a_cut_ends_is_asked_for_again(bool hasDirtyNeighbour)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(3);
        var extents = (PageEngine.PageFile)file.Extents;
        var word = new byte[8];
        if (hasDirtyNeighbour)
        {
            await file.WriteAsync(0, new byte[Page]);
        }

        await file.ReadAsync(Page, word);
        await file.ReadAsync(2 * Page, word);
        cache.Engine.Before = name =>
        {
            if (name == "SetLength")
            {
                extents.Bind(2, cache.Engine.TakeSpare()!.Value);
            }
        };

        await file.SetLengthAsync((2 * Page) + 100);

        Assert.Equal(8, await file.ReadAsync(2 * Page, word));
        Assert.Equal(MemoryDevice.Word(extents.Blocks[2] * Page), BitConverter.ToUInt64(word));
        await file.ReadAsync(0, word);
        Assert.Equal(hasDirtyNeighbour ? 0 : MemoryDevice.Word(extents.Blocks[0] * Page), BitConverter.ToUInt64(word));
    }

    /// <summary>Both are bound to one block, of which one of them shows a part.</summary>
    [Theory]
    [Trait("Contract", "C2")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_dirty_page_in_which_a_cut_of_one_file_ends_is_whole_in_the_other(bool cutsOrigin)
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(3 * Page);
        var bytes = new byte[3 * Page];
        new Random(1).NextBytes(bytes);
        await file.WriteAsync(0, bytes);
        var clone = cache.Own(file.Clone());
        var (cut, whole) = cutsOrigin ? (file, clone) : (clone, file);

        await cut.SetLengthAsync((2 * Page) + 100);
        await cache.Volume.FlushAsync();

        Assert.Equal(bytes[..((2 * Page) + 100)], cache.DurableOf(cut)[..((2 * Page) + 100)]);
        Assert.Equal(bytes, cache.DurableOf(whole));
        var read = new byte[3 * Page];
        Assert.Equal((2 * Page) + 100, await cut.ReadAsync(0, read));
        Assert.Equal(bytes[..((2 * Page) + 100)], read[..((2 * Page) + 100)]);
        Assert.Equal(3 * Page, await whole.ReadAsync(0, read));
        Assert.Equal(bytes, read);
    }

    /// <summary>A page that has no address, beside a dirty one, of a file whose engine counts its changes in steps of its own.</summary>
    [Fact]
    [Trait("Contract", "C9")]
    [Trait("Row", "A9")]
    public async Task A_page_without_an_address_is_read_beside_a_dirty_one_whatever_the_sequence_is()
    {
        using var cache = new WriteCache();
        var volume = cache.Own(cache.Cache.AttachVolume(new OpaqueDevice(), new VolumeOptions { Placement = cache.Engine }));
        var extents = new OpaqueFile(cache.Engine);
        var file = cache.Own(volume.OpenFile(extents, 2 * Page));
        await file.WriteAsync(Page, new byte[Page]);
        extents.Advance();

        var word = new byte[8];
        Assert.Equal(8, await Task.Run(() => file.ReadAsync(8, word).AsTask()).Within());

        Assert.Equal(OpaqueDevice.Word(extents, 8), BitConverter.ToUInt64(word));
        await file.ReadAsync(Page, word);
        Assert.Equal(0UL, BitConverter.ToUInt64(word));
        file.Delete();
    }

    private sealed class OpaqueFile(PageEngine engine) : PageEngine.PageFile(engine, 2 * Page)
    {
        public override ValueTask GetExtentsAsync(long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
        {
            destination.Write([new Extent(0, 2 * Page, 0, ExtentFlags.Opaque)]);
            return ValueTask.CompletedTask;
        }
    }
}
