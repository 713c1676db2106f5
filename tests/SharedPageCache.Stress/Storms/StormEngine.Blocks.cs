namespace SharedPageCache.Stress.Storms;

/// <content>Blocks: given out, referred to, discarded, and given out again.</content>
internal sealed partial class StormEngine
{
    public uint GenerationOf(int block) => _options.EngineGenerations ? _generations[block] + 1 : 0;

    private int Allocate(int count, bool aligned)
    {
        var perPage = aligned ? Math.Max(1, _options.PageSize / BlockSize) : 1;
        for (var attempt = 0; attempt < 20; attempt++)
        {
            var first = _dice.Below(_isFree.Length) / perPage * perPage;
            if (first + count <= _isFree.Length && _isFree.AsSpan(first, count).IndexOf(false) < 0)
            {
                _isFree.AsSpan(first, count).Clear();
                for (var block = first; block < first + count; block++)
                {
                    _generations[block]++;
                }

                return first;
            }
        }

        return -1;
    }

    private long WriteNew(int block)
    {
        var serial = _serials.Next($"block {block} of volume {Number}, generation {GenerationOf(block)}");
        Device.Write(block, serial);
        return serial;
    }

    /// <summary>A block that files show gets new content, behind the cache's back; then the cache is told.</summary>
    private void OverwriteInPlace()
    {
        var block = _dice.Below(_isFree.Length);
        long serial;
        lock (Lock)
        {
            if (_references[block] == 0)
            {
                return;
            }

            serial = _serials.Next($"block {block} of volume {Number}, overwritten in place");
            _pending = [];
            foreach (var inode in _inodes)
            {
                var blocks = inode.Layout.Blocks;
                for (var unit = blocks.AsSpan().IndexOf(block); unit >= 0 && unit < blocks.Length; unit++)
                {
                    if (blocks[unit] == block)
                    {
                        inode.Done[unit].Append(serial);
                        _pending.Add((inode, unit));
                    }
                }
            }
        }

        Device.Write(block, serial);
        Discard(block, 1);
        Complete();
    }

    /// <summary>Takes references off, under the lock; what nobody shows is discarded by the next step.</summary>
    private void Drop(ReadOnlySpan<int> blocks)
    {
        foreach (var block in blocks)
        {
            if (block >= 0 && --_references[block] == 0)
            {
                _toDiscard.Add(block);
            }
        }
    }

    private void DiscardAndFree()
    {
        int[] blocks;
        lock (Lock)
        {
            blocks = [.. _toDiscard];
            _toDiscard.Clear();
        }

        Array.Sort(blocks);
        for (var i = 0; i < blocks.Length;)
        {
            var end = i + 1;
            while (end < blocks.Length && blocks[end] == blocks[end - 1] + 1)
            {
                end++;
            }

            Discard(blocks[i], end - i);
            i = end;
        }

        lock (Lock)
        {
            foreach (var block in blocks)
            {
                _isFree[block] = true;
            }
        }
    }

    private void Discard(int block, int count)
    {
        try
        {
            Volume.Discard(RunOf(block, count));
        }
        catch (ObjectDisposedException) when (_options.Kind.HasFlag(StormKind.Dispose))
        {
            // The volume is being detached.
        }
    }

    private BlockRun RunOf(int block, int count) => new((long)block * BlockSize, (long)count * BlockSize);
}
