using System.Buffers;
using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>The write-back port, step by step: what happens between the steps is chosen here and not left to chance.</summary>
public sealed class PlacementTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    private const int Pages = 16;

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_page_that_is_punched_before_it_is_placed_is_a_hole_though_its_image_is_written_afterwards(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        for (var moment = 0; moment < 4; moment++)
        {
            await using var file = OpenNew(Path.Combine(folder, $"image{moment}"), Bytes(Pages * Page, 1));
            await file.File.PunchHoleAsync(3 * Page, Page);
            var run = await PlaceAsync(file, 3, 1);
            ReadAt(0);
            await WriteAsync(file, run);
            ReadAt(1);
            Placement(file).Abandon(run);
            ReadAt(2);
            await file.File.FlushAsync();
            ReadAt(3);

            AssertOnDisk(Overlaid(Bytes(Pages * Page, 1), 3 * Page, new byte[Page]), file.Path);
            AssertContent(OnDisk(file.Path), file);

            void ReadAt(int when)
            {
                if (when == moment)
                {
                    var page = Bytes(Page, 5);
                    file.File.Read(3 * Page, page);
                    Assert.Equal(new byte[Page], page);
                }
            }
        }
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_page_that_is_cut_off_and_grown_over_while_it_is_written_reads_zero(FileSystemKind kind)
    {
        await using var file = OpenNew(Path.Combine(FolderOn(kind), "image"), Bytes(Pages * Page, 1));
        var run = await PlaceAsync(file, 3, 1);
        file.File.SetLength(2 * Page);
        file.File.SetLength(Pages * Page);
        await WriteAsync(file, run);

        Placement(file).Abandon(run);
        await file.File.FlushAsync();

        AssertOnDisk([.. Bytes(Pages * Page, 1)[..(2 * Page)], .. new byte[(Pages - 2) * Page]], file.Path);
        AssertContent(OnDisk(file.Path), file);
    }

    /// <summary>A page that was frozen before a range was cloned over it, and is named, written and given back afterwards.</summary>
    [Theory]
    [OnFileSystem(Xfs, false)]
    [OnFileSystem(Btrfs, false)]
    [OnFileSystem(Xfs, true)]
    [OnFileSystem(Btrfs, true)]
    public async Task A_range_that_is_cloned_over_a_page_on_its_way_is_what_everybody_reads_at_every_moment(FileSystemKind kind, bool isPlacedFirst)
    {
        var folder = FolderOn(kind);
        for (var moment = 0; moment < 4; moment++)
        {
            var other = Bytes(Pages * Page, 2);
            await using var source = OpenNew(Path.Combine(folder, $"source{moment}"), other);
            await using var file = OpenNew(Path.Combine(folder, $"image{moment}"), Bytes(Pages * Page, 1));
            var run = isPlacedFirst ? await PlaceAsync(file, 3, 1) : default;
            await file.CloneRangeAsync(source, 0, 2 * Page, 8 * Page);
            run = isPlacedFirst ? run : await PlaceAsync(file, 3, 1);
            ReadAt(0);
            await WriteAsync(file, run);
            ReadAt(1);
            Placement(file).Abandon(run);
            ReadAt(2);
            await file.File.FlushAsync();
            ReadAt(3);

            AssertOnDisk(Overlaid(Bytes(Pages * Page, 1), 2 * Page, other[..(8 * Page)]), file.Path);
            AssertContent(OnDisk(file.Path), file);
            Verify();

            void ReadAt(int when)
            {
                if (when == moment)
                {
                    var page = new byte[Page];
                    file.File.Read(3 * Page, page);
                    Assert.Equal(other[Page..(2 * Page)], page);
                }
            }
        }
    }

    /// <summary>A page that was written after a range was cloned there is the newer one, also if its first write to the disk fails.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_page_that_is_written_over_a_cloned_range_is_published_over_it(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var (content, other) = (Bytes(Pages * Page, 1), Bytes(Pages * Page, 2));
        await using var source = OpenNew(Path.Combine(folder, "source"), other);
        await using var file = OpenNew(Path.Combine(folder, "image"), content);
        await file.CloneRangeAsync(source, 0, 2 * Page, 8 * Page);
        var run = await PlaceAsync(file, 3, 1);
        await WriteAsync(file, run);
        Placement(file).Publish(run, [new RunOwner(file.File.Extents, 3 * Page)]);
        await file.File.FlushAsync();

        content = Overlaid(content, 2 * Page, other[..(8 * Page)]);
        content = Overlaid(content, 3 * Page, OnDisk(file.Path)[(3 * Page)..(4 * Page)]);
        Assert.NotEqual(other[Page..(2 * Page)], content[(3 * Page)..(4 * Page)]);
        AssertOnDisk(content, file.Path);
        AssertContent(content, file);
        Assert.Equal(7, BlocksOf(source.Path).Intersect(BlocksOf(file.Path)).Count());
        Verify();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task What_a_failed_write_leaves_is_no_hole(FileSystemKind kind)
    {
        await using var file = OpenNew(Path.Combine(FolderOn(kind), "image"), Bytes(Pages * Page, 1));
        file.File.SetLength(3 * Page + 5);
        var run = await PlaceAsync(file, 3, 1);

        Placement(file).Abandon(run);
        await file.File.FlushAsync();

        AssertOnDisk(Bytes(Pages * Page, 1)[..(3 * Page + 5)], file.Path);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_part_is_published_to_some_of_those_who_were_written_and_the_rest_is_given_back(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        await using var one = OpenNew(Path.Combine(folder, "one"), Bytes(Pages * Page, 1));
        await using var two = OpenNew(Path.Combine(folder, "two"), Bytes(Pages * Page, 2));
        var run = await PlaceAsync(one, 3, 2, (two, 7));
        await WriteAsync(one, run);
        await two.File.PunchHoleAsync(7 * Page, Page);
        var placement = Placement(one);
        var first = run with { Length = Page };

        placement.Publish(first, [new RunOwner(one.Origin, 3 * Page)]);
        placement.Abandon(new BlockRun(run.Offset + Page, Page));
        Assert.Throws<InvalidOperationException>(() => placement.Publish(first, [new RunOwner(two.Origin, 3 * Page)]));
        await one.File.Volume.FlushAsync();
        await placement.PersistAsync(CancellationToken.None);

        AssertOnDisk(Overlaid(Bytes(Pages * Page, 1), 3 * Page, Bytes(2 * Page, 9)), one.Path);
        AssertOnDisk(
            Overlaid(Overlaid(Bytes(Pages * Page, 2), 7 * Page, new byte[Page]), 8 * Page, Bytes(2 * Page, 9)[Page..]), two.Path);
        Assert.Empty(one.Origin.Table.Staged());
        Assert.Empty(two.Origin.Table.Staged());
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task From_the_moment_it_is_placed_no_old_block_is_read_through_the_file(FileSystemKind kind)
    {
        await using var file = OpenNew(Path.Combine(FolderOn(kind), "image"), Bytes(Pages * Page, 1));
        var old = file.Origin.Table.Within(3 * Page, 4 * Page)[0];
        var before = file.Origin.Sequence;

        var run = await PlaceAsync(file, 3, 1);

        Assert.True(file.Origin.Sequence > before);
        Assert.Throws<ReflinkFileChangedException>(() => file.File.Volume.Device.Read(
            new BlockRun(old.PhysicalOffset, Page), new BlockOrigin(file.Origin, 3 * Page), [new byte[Page]]));
        await WriteAsync(file, run);
        var buffer = new byte[Page];
        Assert.Equal(Page, file.File.Volume.Device.Read(run, new BlockOrigin(file.Origin, 3 * Page), [buffer]));
        Assert.Equal(Bytes(Page, 9), buffer);
        Placement(file).Abandon(run);
    }

    /// <summary>A page that was dirty in two files when it was placed, of which one was cut inside it meanwhile.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_name_that_two_files_show_is_read_through_the_longer_one(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var whole = OpenNew(Path.Combine(folder, "whole"), Bytes(5 * Page, 1));
        await using var cut = await whole.CloneAsync(Path.Combine(folder, "cut"));
        cut.File.SetLength((4 * Page) + 1177);
        var run = await PlaceAsync(whole, 4, 1, (cut, 4));
        await WriteAsync(whole, run);
        Placement(whole).Publish(run, [new RunOwner(whole.Origin, 4 * Page), new RunOwner(cut.Origin, 4 * Page)]);

        var buffer = Bytes(Page, 3);
        Assert.Equal(Page, cut.File.Volume.Device.Read(run, new BlockOrigin(cut.Origin, 4 * Page), [buffer]));
        Assert.Equal(Bytes(Page, 9), buffer);

        // Nobody else has it any more, nobody else will.
        whole.File.SetLength(0);
        Assert.Equal(Page, cut.File.Volume.Device.Read(run, new BlockOrigin(cut.Origin, 4 * Page), [buffer]));
        Assert.Equal([.. Bytes(Page, 9)[..1177], .. new byte[Page - 1177]], buffer);
        await whole.DisposeAsync();
        await cut.File.FlushAsync();
        AssertOnDisk([.. Bytes(5 * Page, 1)[..(4 * Page)], .. Bytes(Page, 9)[..1177]], cut.Path);
    }

    /// <summary>Two names that follow each other, the second of which another file shows too: they are read in two parts.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task The_last_page_of_a_run_is_read_by_itself_where_the_file_ends_inside_it(FileSystemKind kind)
    {
        await using var file = OpenNew(Path.Combine(FolderOn(kind), "image"), Bytes((4 * Page) + 1177, 1));
        var run = await PlaceAsync(file, 2, 3);
        await WriteAsync(file, run);
        Placement(file).Publish(run, [new RunOwner(file.Origin, 2 * Page)]);

        var buffers = new Memory<byte>[] { Bytes(Page, 3), Bytes(2 * Page, 4) };
        Assert.Equal(2 * Page, file.File.Volume.Device.Read(run, new BlockOrigin(file.Origin, 2 * Page), buffers));
        Assert.Equal(Bytes(3 * Page, 9)[..(2 * Page)], (byte[])[.. buffers[0].Span, .. buffers[1].Span[..Page]]);
        var last = Bytes(Page, 5);
        Assert.Equal(Page, file.File.Volume.Device.Read(new BlockRun(run.Offset + (2 * Page), Page), new BlockOrigin(file.Origin, 4 * Page), [last]));
        Assert.Equal([.. Bytes(3 * Page, 9)[(2 * Page)..][..1177], .. new byte[Page - 1177]], last);
        await file.File.FlushAsync();
        AssertOnDisk([.. Bytes((4 * Page) + 1177, 1)[..(2 * Page)], .. Bytes(3 * Page, 9)[..((2 * Page) + 1177)]], file.Path);
    }

    /// <summary>The page has a name as a whole, and the file has one block less than two of the page's four.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task The_last_page_of_several_blocks_is_read_by_its_name_as_far_as_the_file_goes(FileSystemKind kind)
    {
        const int large = 4 * Page;
        UseWritableCache(pageSize: large);
        await using var file = OpenNew(Path.Combine(FolderOn(kind), "image"), Bytes((9 * Page) + 1177, 1));
        var answer = new ArrayBufferWriter<PlacedRun>();
        RunOwner[] owners = [new RunOwner(file.Origin, 2 * large)];
        await Placement(file).PlaceAsync(new[] { new DirtyRun(large, BlockRun.None, owners) }, answer, CancellationToken.None);
        var run = answer.WrittenSpan[0].Blocks;
        await WriteAsync(file, run);
        Placement(file).Publish(run, owners);

        var buffer = Bytes(large, 3);
        Assert.Equal(large, file.File.Volume.Device.Read(run, new BlockOrigin(file.Origin, 2 * large), [buffer]));
        Assert.Equal([.. Bytes(large, 9)[..(Page + 1177)], .. new byte[large - Page - 1177]], buffer);
        Assert.Throws<ReflinkFileChangedException>(() => file.File.Volume.Device.Read(
            new BlockRun(run.End, large), new BlockOrigin(file.Origin, 3 * large), [buffer]));
        await file.File.FlushAsync();
        AssertOnDisk([.. Bytes((9 * Page) + 1177, 1)[..(2 * large)], .. Bytes(large, 9)[..(Page + 1177)]], file.Path);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_file_that_fails_fails_alone(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var bad = OpenNew(Path.Combine(folder, "bad"), Bytes(Pages * Page, 1));
        await using var good = OpenNew(Path.Combine(folder, "good"), Bytes(Pages * Page, 2));
        bad.File.Write(0, Bytes(Page, 3));
        good.File.Write(0, Bytes(Page, 4));
        Overwrite(bad.Path, 5 * Page, [1]);

        await Assert.ThrowsAsync<CacheWritebackException>(async () => await good.File.Volume.FlushAsync());

        AssertOnDisk(Overlaid(Bytes(Pages * Page, 2), 0, Bytes(Page, 4)), good.Path);
        Assert.Equal(Page, Figures.DirtyBytes);
        bad.Dispose();
        Assert.Equal(0, Figures.DirtyBytes);
    }

    private static ReflinkPlacement Placement(ReflinkedFile file) => file.Origin.Volume.Placement!;

    private static async Task<BlockRun> PlaceAsync(ReflinkedFile file, int page, int count, params (ReflinkedFile File, int Page)[] more)
    {
        var answer = new ArrayBufferWriter<PlacedRun>();
        RunOwner[] owners =
            [new RunOwner(file.Origin, page * Page), .. more.Select(static other => new RunOwner(other.File.Origin, other.Page * Page))];
        await Placement(file).PlaceAsync(
            new[] { new DirtyRun(count * Page, BlockRun.None, owners) }, answer, CancellationToken.None);
        return Assert.Single(answer.WrittenSpan.ToArray()).Blocks;
    }

    private static async Task WriteAsync(ReflinkedFile file, BlockRun run)
    {
        await Placement(file).WriteAsync(run, [Bytes((int)run.Length, 9)]);
        await Placement(file).SyncAsync();
    }
}
