using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <content>Merges, and what goes past the cache.</content>
internal sealed partial class WrittenFile
{
    /// <summary>
    /// Merges this file into another one; false if that is refused. Nobody writes to this file meanwhile, so it is known what
    /// the other one shows afterwards.
    /// </summary>
    public bool MergeInto(WrittenFile target)
    {
        var held = ReadAll().Concat(Enumerable.Repeat(Sector.Zero, _halves.Length)).ToList();
        var begun = _universe.Tick();
        Scheduler.Note("merge begins");
        var entries = target._halves.Select((half, i) => half.Begin(held[i], begun)).ToList();
        try
        {
            File.MergeInto(target.File);
        }
        catch (MergeConflictException conflict)
        {
            Scheduler.Note(conflict.Message);
            for (var i = 0; i < entries.Count; i++)
            {
                target._halves[i].Revoke(entries[i]);
            }

            return false;
        }

        var now = _universe.Tick();
        entries.ForEach(entry => entry.Ended = now);
        Scheduler.Note("merged");
        return true;
    }

    /// <summary>The same for a branch that others write to meanwhile: the other file shows what the branch held at one moment.</summary>
    public bool MergeLiveInto(WrittenFile target)
    {
        var begun = _universe.Tick();
        Scheduler.Note("merge begins");
        var entries = target._halves.Select((half, i) => half.BeginFrom(_halves[i], begun)).ToList();
        try
        {
            File.MergeInto(target.File);
        }
        catch (MergeConflictException conflict)
        {
            Scheduler.Note(conflict.Message);
            for (var i = 0; i < entries.Count; i++)
            {
                target._halves[i].Revoke(entries[i]);
            }

            return false;
        }

        var now = _universe.Tick();
        entries.ForEach(entry => entry.Ended = entry.Source!.Ended = now);
        Scheduler.Note("merged");
        return true;
    }

    /// <summary>Writes a half of a page whose other half may be in a bad block.</summary>
    /// <returns>Whether it was written.</returns>
    public bool WriteHalfIfGood(int page, int half)
    {
        try
        {
            WriteHalf(page, half);
            return true;
        }
        catch (PageLoadException error)
        {
            Scheduler.Note(error.Message);
            return false;
        }
    }

    /// <summary>Takes halves of pages over, of which some may be in a bad block: all or nothing.</summary>
    /// <returns>Whether they were taken over.</returns>
    public bool CloneHalvesIfGood(WrittenFile source, int from, int to, int halves)
    {
        try
        {
            CloneHalves(source, from, to, halves);
            return true;
        }
        catch (PageLoadException error)
        {
            Scheduler.Note(error.Message);
            return false;
        }
    }

    /// <summary>The engine writes the block of a page in place, past the cache.</summary>
    public void WriteDirectly(int page)
    {
        var (held, block) = (_universe.Fresh(), Stored.Blocks[page]);
        Change(page * 2, 2, held, () =>
        {
            using var write = _universe.Volume.BeginDirectWrite(new BlockRun(block * Sector.Size, Sector.Size));
            _universe.Device.OverwriteInHalves(block, held);
        });
    }

    /// <summary>
    /// The engine has a page of the file lie elsewhere, with the content of that block, and says so. A page that is dirty by then stays what it is.
    /// </summary>
    public void ChangedByEngine(int page, long block)
    {
        for (var half = page * 2; half < page * 2 + 2; half++)
        {
            _halves[half].Begin(WriteDevice.Original(block), _universe.Tick());
        }

        Stored.Advance();
        Scheduler.Note("the sequence has moved");
        Stored.Blocks[page] = block;
        Scheduler.Note($"the engine maps page {page} to block {block}");
        File.InvalidateExtents((long)page * Sector.Size, Sector.Size);
    }

    /// <summary>Writes pages around the cache.</summary>
    public void WriteAround(int page, int pages = 1)
    {
        var held = _universe.Fresh();
        var bytes = new byte[pages * Sector.Size];
        for (var i = 0; i < pages; i++)
        {
            held.CopyTo(bytes.AsSpan(i * Sector.Size, Sector.Size), 0, Sector.Size / 8);
        }

        Change(page * 2, pages * 2, held, () => Complete(File.WriteAroundAsync((long)page * Sector.Size, bytes)));
    }

    /// <summary>Writes pages around the cache if the file, which others make shorter, has them.</summary>
    public void WriteAroundIfInside(int page, int pages)
    {
        try
        {
            WriteAround(page, Math.Min(pages, MostPages - page));
        }
        catch (ArgumentOutOfRangeException outside)
        {
            Scheduler.Note(outside.Message);
        }
    }

    /// <summary>Writes a page around the cache over an engine whose answer may be refused.</summary>
    public void WriteAroundIfPlaced(int page)
    {
        try
        {
            WriteAround(page);
        }
        catch (CacheWritebackException refused)
        {
            Scheduler.Note(refused.Message);
        }
    }

    /// <summary>Reads a page that may be bad.</summary>
    /// <returns>Whether it could be read.</returns>
    public bool ReadIfGood(int page)
    {
        try
        {
            Read(page);
            return true;
        }
        catch (PageLoadException error)
        {
            WriteUniverse.Require(error.Blocks == new BlockRun(Stored.Blocks[page] * Sector.Size, Sector.Size), $"{error.Blocks} are not those of page {page}");
            return false;
        }
    }

    /// <summary>The block of a page goes bad; nobody reads it from then on until it is repaired with what it held.</summary>
    public void BreakAndRepair(int page)
    {
        var run = new BlockRun(Stored.Blocks[page] * Sector.Size, Sector.Size);
        var good = _universe.Device.Now(Stored.Blocks[page]).ToArray();
        var told = _universe.Volume.ReportBadBlocks(run);
        Scheduler.Note($"reported {run} bad to {told.Count}");
        WriteUniverse.Require(!ReadIfGood(page), "a bad block was read after it was reported");
        Complete(_universe.Volume.RepairAsync(run, good));
        WriteUniverse.Require(ReadIfGood(page), "a block cannot be read after it was repaired");
    }
}
