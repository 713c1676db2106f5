namespace SharedPageCache.Stress.Storms;

/// <content>Changes of ranges of a file: new blocks, holes, blocks of another file.</content>
internal sealed partial class StormEngine
{
    /// <summary>Gives a range of a file new blocks with new content.</summary>
    private void Remap()
    {
        var (inode, unit, count) = PickRange(16);
        var first = inode is null ? -1 : Allocate(count, _dice.OneIn(2));
        if (first < 0)
        {
            return;
        }

        var blocks = new int[count];
        var serials = new long[count];
        for (var i = 0; i < count; i++)
        {
            blocks[i] = first + i;
            serials[i] = WriteNew(first + i);
        }

        Exchange(inode!, unit, blocks, serials);
    }

    private void Punch()
    {
        var (inode, unit, count) = PickRange(4);
        if (inode is not null)
        {
            var blocks = new int[count];
            Array.Fill(blocks, _dice.OneIn(2) ? Layout.Hole : Layout.Unwritten);
            Exchange(inode, unit, blocks, new long[count]);
        }
    }

    /// <summary>A range of a file shows the blocks of another file (or of another range) from now on.</summary>
    private void ShareRange()
    {
        var (inode, unit, count) = PickRange(8);
        var (source, from, sourceCount) = PickRange(8);
        if (inode is null || source is null)
        {
            return;
        }

        count = Math.Min(count, sourceCount);
        int[] blocks;
        long[] serials;
        lock (Lock)
        {
            if (source.IsDeleted)
            {
                return;
            }

            blocks = source.Layout.Blocks.AsSpan(from, count).ToArray();
            if (blocks.Contains(Layout.OpaqueUnit))
            {
                return;
            }

            serials = [.. source.Done.AsSpan(from, count).ToArray().Select(static moment => moment.Newest.Serial)];
            foreach (var block in blocks)
            {
                if (block >= 0)
                {
                    // Held until the range has it.
                    _references[block]++;
                }
            }
        }

        Exchange(inode, unit, blocks, serials);
        lock (Lock)
        {
            Drop(blocks);
        }
    }

    private void Exchange(Inode inode, int unit, int[] blocks, long[] serials)
    {
        MappedFile[] handles;
        var pending = new List<(Inode, int)>();
        lock (Lock)
        {
            foreach (var block in blocks)
            {
                if (block >= 0)
                {
                    _references[block]++;
                }
            }

            if (inode.IsDeleted)
            {
                Drop(blocks);
                return;
            }

            for (var i = 0; i < blocks.Length; i++)
            {
                inode.Done[unit + i].Append(serials[i]);
                pending.Add((inode, unit + i));
            }

            _pending = pending;
            var old = inode.Layout.Blocks.AsSpan(unit, blocks.Length).ToArray();
            inode.Change(inode.Layout.With(unit, blocks));
            Drop(old);
            handles = [.. inode.Handles];
        }

        var offset = inode.Layout.Base + (long)unit * BlockSize;
        foreach (var handle in handles)
        {
            Invalidate(handle, offset, (long)blocks.Length * BlockSize);
        }

        Complete();
        DiscardAndFree();
    }
}
