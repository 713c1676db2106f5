using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>A branch is committed onto the file that it was made of, or refused.</summary>
public class MergeTests
{
    private const int Page = 4096;

    [Fact]
    public async Task A_branch_is_merged_without_io_and_its_dirty_pages_are_written_once_for_both()
    {
        using var cache = new WriteCache();
        var options = new FileOpenOptions { Id = FileId.FromNumber(1) };
        var engine = cache.Engine.CreateMapped(8);
        var file = cache.Own(cache.Volume.OpenFile(engine, 8 * Page, options));
        var handle = cache.Own(cache.Volume.OpenFile(engine, 8 * Page, options));
        Read(file, 0, 8 * Page);
        var branch = cache.Own(file.Clone());
        branch.Write(Page, Bytes(1, 2 * Page));
        await branch.FlushAsync();
        branch.Write(5 * Page + 3, Bytes(2, 10));
        await branch.PunchHoleAsync(7 * Page, Page);
        var expected = Read(branch, 0, 8 * Page);
        var (reads, writes, flushes) = (cache.Device.Reads, cache.Device.Writes, cache.Device.Flushes);
        branch.MergeInto(file);
        Assert.Equal((reads, writes, flushes), (cache.Device.Reads, cache.Device.Writes, cache.Device.Flushes));
        Assert.Equal(expected, Read(file, 0, 8 * Page));
        Assert.Equal(expected, Read(branch, 0, 8 * Page));
        Assert.Equal(reads, cache.Device.Reads);
        Assert.Equal(Page, cache.Figures.DirtyBytes);
        Assert.Empty(file.DiffPages(branch));
        cache.Engine.Published.Clear();
        await file.FlushAsync();
        Assert.Equal(2, Assert.Single(cache.Engine.Published).Owners.Length);
        Assert.Equal(expected, cache.DurableOf(file));
        Assert.Equal(expected, cache.DurableOf(branch));
        Assert.Equal(expected, Read(handle, 0, 8 * Page));
    }

    [Theory]
    [Trait("Contract", "C2")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_merge_neither_file_writes_into_what_both_show(bool flushed)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var branch = cache.Own(file.Clone());
        branch.Write(0, Bytes(1, 4 * Page));
        branch.MergeInto(file);
        if (flushed)
        {
            await cache.Volume.FlushAsync();
        }

        // Hazard A3.5: the pages were the branch's alone until now.
        branch.Write(Page + 5, Bytes(2, 5));
        Assert.Equal(Bytes(1, 4 * Page), Read(file, 0, 4 * Page));
        file.Write(2 * Page + 5, Bytes(3, 5));
        var expected = Bytes(1, 4 * Page);
        Bytes(2, 5).CopyTo(expected, Page + 5);
        Assert.Equal(expected, Read(branch, 0, 4 * Page));
        await cache.Volume.FlushAsync();
        Assert.Equal(expected, cache.DurableOf(branch));
        Assert.Equal([new FileRange(Page, 2 * Page)], file.DiffPages(branch));
    }

    /// <summary>What is refused, given up or over nothing leaves the file as what its branches began with, also if it ends inside a page.</summary>
    [Theory]
    [InlineData("range clone that overlaps")]
    [InlineData("range clone of more than is copied")]
    [InlineData("range clone of nothing")]
    [InlineData("write lease, given up")]
    [InlineData("dedupe of what differs")]
    public async Task What_changes_nothing_is_no_conflict(string what)
    {
        using var cache = new WriteCache(frames: 32);
        var file = cache.OpenMapped(40);
        await file.SetLengthAsync(38 * Page + 100);
        var branch = cache.Own(file.Clone());
        branch.Write(Page, Bytes(2, Page));
        var other = cache.OpenMapped(40);
        switch (what)
        {
            case "range clone that overlaps":
                await Assert.ThrowsAsync<ArgumentException>(async () => await file.CloneRangeAsync(file, 30 * Page, 32 * Page, 8 * Page));
                break;
            case "range clone of more than is copied":
                await Assert.ThrowsAsync<CacheCapacityException>(async () => await file.CloneRangeAsync(other, 1, 30 * Page, 39 * Page));
                break;
            case "range clone of nothing":
                Assert.Equal(0, await file.CloneRangeAsync(other, 40 * Page, 60 * Page, Page));
                break;
            case "write lease, given up":
                (await file.LeaseForWriteAsync(Page)).Dispose();
                break;
            default:
                Assert.Equal(0, await file.DedupeAsync(other, 0, 0, 2 * Page));
                break;
        }

        branch.MergeInto(file);
        Assert.Equal(Bytes(2, Page), Read(file, Page, Page));
    }

    [Theory]
    [InlineData("write")]
    [InlineData("write over a dirty page")]
    [InlineData("write in place")]
    [InlineData("punch")]
    [InlineData("length")]
    [InlineData("length and back")]
    [InlineData("engine")]
    [InlineData("engine, untold")]
    [InlineData("delete")]
    public async Task A_file_that_was_changed_since_is_not_merged_into(string change)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(8);
        file.Write(6 * Page, Bytes(1, Page));
        if (change == "write in place")
        {
            // What may be written in place without a copy was written since the last clone.
            cache.Own(file.Clone());
            file.Write(6 * Page, Bytes(1, Page));
        }

        var branch = cache.Own(file.Clone(new FileOpenOptions { Id = FileId.FromNumber(7), Name = "branch" }));
        branch.Write(Page, Bytes(2, Page));
        var engine = (PageEngine.PageFile)file.Extents;
        switch (change)
        {
            case "write":
                file.Write(3 * Page, Bytes(3, 1));
                break;
            case "write over a dirty page" or "write in place":
                file.Write(6 * Page + 9, Bytes(3, 1));
                file.Write(6 * Page + 9, Bytes(3, 1));
                break;
            case "punch":
                await file.PunchHoleAsync(3 * Page, Page);
                break;
            case "length":
                file.SetLength(7 * Page);
                break;
            case "length and back":
                file.SetLength(7 * Page);
                file.SetLength(8 * Page);
                break;
            case "engine":
                engine.Rebind(3, 100);
                file.InvalidateExtents(3 * Page, Page);
                break;
            case "engine, untold":
                engine.Rebind(3, 100);
                break;
            case "delete":
                file.Delete();
                Assert.Throws<ObjectDisposedException>(() => branch.MergeInto(file));
                return;
        }

        var (before, mine) = (Read(file, 0, (int)file.Length), Read(branch, 0, 8 * Page));
        var dirty = cache.Figures.DirtyBytes;
        var conflict = Assert.Throws<MergeConflictException>(() => branch.MergeInto(file));
        Assert.Equal((FileId.FromNumber(7), file.Id), (conflict.Branch, conflict.Target));
        Assert.Equal(file.DiffPages(branch), conflict.Differences);
        Assert.Contains(new FileRange(Page, Page), conflict.Differences);
        Assert.Contains("branch", conflict.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<MergeConflictException>(() => branch.MergeIntoAsync(file).AsTask());
        Assert.Equal(before, Read(file, 0, (int)file.Length));
        Assert.Equal(mine, Read(branch, 0, 8 * Page));
        Assert.Equal(dirty, cache.Figures.DirtyBytes);
    }

    [Fact]
    public async Task What_changes_no_content_is_no_conflict()
    {
        using var cache = new WriteCache(pageSize: 512, deviceLength: 1 << 20);
        var file = cache.OpenMapped(1000);
        file.Write(512, Bytes(1, 2 * 512));
        var branch = cache.Own(file.Clone());
        branch.Write(512, Bytes(2, 512));
        Read(file, 0, 1000 * 512);
        await cache.Volume.FlushAsync();
        cache.Own(file.Clone());

        // Leaves that are too old are exchanged, by copying the path: the tree is another, the content is not.
        var root = file.Mapping.Tree;
        cache.Volume.Discard(new BlockRun(0, 1 << 20));
        Read(file, 0, 1000 * 512);
        Assert.NotSame(root, file.Mapping.Tree);
        await branch.MergeIntoAsync(file);
        Assert.Equal(Bytes(2, 512), Read(file, 512, 512));
        await file.FlushAsync();
        Assert.Equal(Read(branch, 0, 1000 * 512), cache.DurableOf(file));
    }

    [Fact]
    public async Task Branches_are_merged_again_and_branches_of_branches_into_what_they_were_made_of()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var branch = cache.Own(file.Clone());
        branch.Write(0, Bytes(1, Page));
        branch.MergeInto(file);
        branch.Write(Page, Bytes(2, Page));
        branch.MergeInto(file);
        Assert.Equal(Bytes(2, Page), Read(file, Page, Page));
        branch.MergeInto(file);

        var twig = cache.Own(branch.Clone());
        branch.Write(0, Bytes(3, Page));
        var late = cache.Own(branch.Clone());
        late.Write(2 * Page, Bytes(4, Page));
        Assert.Throws<MergeConflictException>(() => late.MergeInto(file));
        Assert.Throws<MergeConflictException>(() => twig.MergeInto(branch));
        branch.MergeInto(file);
        late.MergeInto(file);
        Assert.Equal(Read(late, 0, 4 * Page), Read(file, 0, 4 * Page));
        Assert.NotEqual(Read(branch, 0, 4 * Page), Read(file, 0, 4 * Page));
        Assert.Throws<MergeConflictException>(() => late.MergeInto(branch));
        await cache.Volume.FlushAsync();
        Assert.Equal(Read(late, 0, 4 * Page), cache.DurableOf(file));

        // A file that is merged into something is as if it had just been made of it.
        var other = cache.Own(file.Clone());
        file.Write(0, Bytes(5, Page));
        other.MergeInto(late);
        Assert.Throws<MergeConflictException>(() => other.MergeInto(file));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_branch_that_a_twig_was_merged_into_is_still_a_branch_of_its_origin(bool written)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var branch = cache.Own(file.Clone());
        var twig = cache.Own(branch.Clone());
        if (written)
        {
            branch.Write(0, Bytes(1, Page));
            twig = cache.Own(branch.Clone());
        }

        twig.Write(Page, Bytes(2, Page));
        twig.MergeInto(branch);

        // A stranger to the branch's beginning, though it is equal to the branch: not what the branch was made of.
        Assert.Throws<MergeConflictException>(() => branch.MergeInto(twig));
        branch.MergeInto(file);
        Assert.Equal(Bytes(2, Page), Read(file, Page, Page));
        Assert.Empty(file.DiffPages(twig));
    }

    [Theory]
    [InlineData(5 * Page + 100)]
    [InlineData(300 * Page)]
    [InlineData(0)]
    public async Task The_file_takes_over_the_branchs_length(int length)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(10);
        file.Write(8 * Page, Bytes(1, Page));
        var branch = cache.Own(file.Clone());
        Read(file, 0, 10 * Page);
        branch.SetLength(length);
        if (length > 20 * Page)
        {
            branch.Write(length - Page, Bytes(2, Page));
        }

        branch.MergeInto(file);
        Assert.Equal(length, file.Length);
        Assert.Equal(Read(branch, 0, length), Read(file, 0, length));
        Assert.Equal(2 * length, cache.Figures.LogicalBytes);

        // What lay behind the end reads zero when the file grows again.
        file.SetLength(length + 3 * Page);
        Assert.Equal(new byte[3 * Page], Read(file, length, 3 * Page));
        await cache.Volume.FlushAsync();
        Assert.Equal(Read(file, 0, length + 3 * Page), cache.DurableOf(file));
    }

    [Fact]
    public void Dirty_pages_that_nobody_shows_any_more_are_freed_and_those_of_others_stay()
    {
        // So many frames that nothing is written in the background meanwhile.
        using var cache = new WriteCache(frames: 256);
        var file = cache.OpenMapped(8);
        file.Write(0, Bytes(1, 4 * Page));
        var witness = cache.Own(file.Clone());
        witness.Write(Page, Bytes(9, Page));
        var branch = cache.Own(file.Clone());
        branch.Write(0, Bytes(2, 3 * Page));
        Assert.Equal(8 * Page, cache.Figures.DirtyBytes);
        branch.MergeInto(file);

        // Page 1 was shown by the file alone; pages 0, 2 and 3 by the witness too.
        Assert.Equal(7 * Page, cache.Figures.DirtyBytes);
        Assert.Equal(Bytes(1, 4 * Page)[..Page], Read(witness, 0, Page));
        Assert.Equal(Bytes(1, 4 * Page)[(2 * Page)..], Read(witness, 2 * Page, 2 * Page));
        Assert.Equal(Bytes(2, 3 * Page), Read(file, 0, 3 * Page));
    }

    [Fact]
    [Trait("Contract", "C4")]
    public void Leases_of_the_file_stay_as_they_are()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        file.Write(0, Bytes(1, Page));
        var branch = cache.Own(file.Clone());
        branch.Write(0, Bytes(2, Page));
        Read(file, 0, Page);
        Assert.True(file.TryPin(0, out var lease));
        branch.MergeInto(file);
        Assert.True(lease.Span.SequenceEqual(Bytes(1, Page)));
        Assert.Equal(Bytes(2, Page), Read(file, 0, Page));
        Assert.Equal(2 * Page, cache.Figures.ResidentBytes);
        lease.Dispose();
        Assert.Equal(Page, cache.Figures.ResidentBytes);
    }

    [Fact]
    public async Task A_hook_that_refuses_changes_nothing()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        file.Write(0, Bytes(1, Page));
        var branch = cache.Own(file.Clone());
        branch.Write(0, Bytes(2, 2 * Page));
        var before = Read(file, 0, 4 * Page);
        cache.Engine.Before = static port =>
        {
            if (port == "ReplaceWith")
            {
                throw new IOException("no metadata.");
            }
        };
        Assert.Throws<IOException>(() => branch.MergeInto(file));
        Assert.Equal(before, Read(file, 0, 4 * Page));
        Assert.Equal(3 * Page, cache.Figures.DirtyBytes);
        cache.Engine.Before = null;
        await branch.MergeIntoAsync(file);
        Assert.Equal(Bytes(2, 2 * Page), Read(file, 0, 2 * Page));
    }

    [Fact]
    [Trait("Contract", "C6")]
    public async Task A_crash_after_a_merge_shows_no_page_older_than_it_was_flushed()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var original = Read(file, 0, 4 * Page);
        file.Write(0, Bytes(1, 4 * Page));
        var branch = cache.Own(file.Clone());
        branch.Write(0, Bytes(2, 2 * Page));
        await branch.FlushAsync();
        branch.Write(Page, Bytes(3, 2 * Page));
        await file.FlushAsync();
        branch.MergeInto(file);

        // The engine persists for somebody else's flush before a dirty page of the branch is written.
        var other = cache.OpenNew(Page);
        await other.FlushAsync();
        var durable = cache.DurableOf(file);
        Assert.Equal(Bytes(2, 2 * Page)[..Page], durable[..Page]);
        Assert.Equal(Bytes(1, 4 * Page)[Page..], durable[Page..]);
        await file.FlushAsync();
        Assert.Equal(Read(branch, 0, 4 * Page), cache.DurableOf(file));
        Assert.Equal(Read(branch, 0, 4 * Page), cache.DurableOf(branch));
        Assert.NotEqual(original, cache.DurableOf(file));
    }

    [Fact]
    [Trait("Contract", "C10")]
    public async Task A_crash_after_a_merge_shows_nothing_that_lay_behind_the_old_end()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(1);
        file.SetLength(100);
        var branch = cache.Own(file.Clone());
        branch.SetLength(3 * Page);
        branch.Write(0, Bytes(1, 10));
        branch.Write(2 * Page, Bytes(2, Page));
        branch.MergeInto(file);
        await cache.OpenNew(Page).FlushAsync();
        Assert.Equal(new byte[3 * Page - 100], cache.DurableOf(file)[100..]);
        await file.FlushAsync();
        Assert.Equal(Read(branch, 0, 3 * Page), cache.DurableOf(file));
    }

    [Theory]
    [Trait("Contract", "C6")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_merge_during_the_files_flush_leaves_it_durable_and_does_not_bring_the_old_page_back(bool punched)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        file.Write(0, Bytes(1, Page));
        var branch = cache.Own(file.Clone());
        if (punched)
        {
            await branch.PunchHoleAsync(0, Page);
        }
        else
        {
            branch.Write(0, Bytes(2, Page));
        }

        // The image of the file's page is on its way; then the file is what the branch is.
        cache.Device.BeforeWrite = run =>
        {
            cache.Device.BeforeWrite = null;
            branch.MergeInto(file);
            return Task.CompletedTask;
        };
        await file.FlushAsync();
        Assert.Equal(punched ? new byte[Page] : Bytes(2, Page), Read(file, 0, Page));
        Assert.Equal(punched ? new byte[Page] : Bytes(2, Page), cache.DurableOf(file)[..Page]);

        // The image was promised to whoever flushed: it was bound first, unless the page was cut.
        Assert.Equal(!punched, cache.Engine.Published.Count > 1 && cache.Engine.Published[0].Owners.Any(owner => owner.File == file.Extents));
        cache.Volume.Discard(new BlockRun(0, cache.Device.Length));
        Assert.Equal(punched ? new byte[Page] : Bytes(2, Page), Read(file, 0, Page));
        await cache.Volume.FlushAsync();
        Assert.Equal(Read(branch, 0, Page), cache.DurableOf(file)[..Page]);
    }

    [Fact]
    [Trait("Contract", "C7")]
    public async Task The_file_is_told_what_the_branch_has_not_been_told()
    {
        using var cache = new WriteCache(dirtyAge: TimeSpan.FromMilliseconds(10));
        var file = cache.OpenMapped(2);
        var branch = cache.Own(file.Clone());
        cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        branch.Write(0, Bytes(1, Page));
        Bounded.Until(() => cache.Figures.WritebackFailures > 0, "the background writer has failed");
        branch.MergeInto(file);
        cache.Device.BeforeWrite = null;
        await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        await file.FlushAsync();
        Assert.Equal(Bytes(1, Page), cache.DurableOf(file)[..Page]);
    }

    [Fact]
    public async Task A_branch_whose_engine_is_in_the_middle_of_a_change_takes_its_dirty_pages_along_and_nothing_else()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var branch = cache.Own(file.Clone());
        Read(branch, 0, 4 * Page);
        branch.Write(Page, Bytes(1, Page));
        ((PageEngine.PageFile)branch.Extents).Rebind(2, 100);
        branch.MergeInto(file);
        Assert.Equal(Bytes(1, Page), Read(file, Page, Page));
        Assert.Equal(cache.Device.Copy(100 * Page, Page), Read(file, 2 * Page, Page));
        branch.InvalidateExtents(2 * Page, Page);
        Assert.Equal(cache.Device.Copy(100 * Page, Page), Read(branch, 2 * Page, Page));
        await cache.Volume.FlushAsync();
        Assert.Equal(Read(file, 0, 4 * Page), cache.DurableOf(file));
    }

    [Fact]
    public async Task Wrong_files_are_refused()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var branch = cache.Own(file.Clone());
        using var handle = cache.Volume.OpenFile(cache.Engine.Create(Page), Page, new FileOpenOptions { Id = FileId.FromNumber(3) });
        using var same = cache.Volume.OpenFile(handle.Extents, Page, new FileOpenOptions { Id = FileId.FromNumber(3) });
        Assert.Throws<ArgumentNullException>(() => branch.MergeInto(null!));
        Assert.Throws<ArgumentException>(() => same.MergeInto(handle));
        Assert.Throws<MergeConflictException>(() => handle.MergeInto(file));
        using var plain = cache.Volume.OpenFile(new CloneableExtents(new Extent(0, Page, 0)), Page);
        using var clone = plain.Clone();
        Assert.Throws<NotSupportedException>(() => clone.MergeInto(plain));
        using var volume = cache.Cache.AttachVolume(cache.Device);
        using var stranger = volume.OpenFile(new ListExtents(new Extent(0, Page, 0)), Page);
        Assert.Throws<ArgumentException>(() => branch.MergeInto(stranger));
        using var cancelled = new CancellationTokenSource();
        file.Mapping.Writing.LengthTurn.Take();
        var waiting = branch.MergeIntoAsync(file, cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        file.Mapping.Writing.LengthTurn.Give();
        branch.Dispose();
        Assert.Throws<ObjectDisposedException>(() => branch.MergeInto(file));
    }
}
