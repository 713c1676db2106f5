using System.Buffers;

namespace SharedPageCache.Tests.Writing.Modelled;

/// <summary>A file of <see cref="ArrayEngine"/>: the block of each page, 0 for a hole, and what of that is durable.</summary>
/// <param name="engine">The engine.</param>
/// <param name="length">The length in bytes.</param>
public sealed class ArrayFile(ArrayEngine engine, long length) : IWritableExtentMap
{
    private int[] _blocks = [];
    private int[] _durableBlocks = [];
    private int _durablePages;
    private long _sequence = 1;

    public long Length { get; internal set; } = length;

    public long DurableLength { get; internal set; }

    public long Sequence => Interlocked.Read(ref _sequence);

    internal int Pages { get; private set; }

    internal bool IsChanged { get; set; }

    public ValueTask GetExtentsAsync(long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        engine.Locked(() =>
        {
            var (page, end) = ((int)(offset / engine.PageSize), (int)Math.Min(Pages, (offset + length + engine.PageSize - 1) / engine.PageSize));
            while (page < end)
            {
                var first = page++;
                if (_blocks[first] != 0)
                {
                    while (page < end && _blocks[page] == _blocks[page - 1] + 1)
                    {
                        page++;
                    }

                    destination.Write(
                        [new Extent((long)first * engine.PageSize, (long)(page - first) * engine.PageSize, (long)_blocks[first] * engine.PageSize)]);
                }
            }

            return 0;
        });
        return ValueTask.CompletedTask;
    }

    public IExtentMap Clone() => engine.Locked(() =>
    {
        var clone = new ArrayFile(engine, Length) { _blocks = _blocks.AsSpan(0, Pages).ToArray(), Pages = Pages };
        foreach (var block in clone._blocks)
        {
            if (block != 0)
            {
                engine.Show(block);
            }
        }

        engine.NoteChange(clone);
        return clone;
    });

    public void SetLength(long newLength) => engine.Locked(() =>
    {
        Advance();
        Length = newLength;
        engine.Cut(this, (int)((newLength + engine.PageSize - 1) / engine.PageSize), int.MaxValue);
        return 0;
    });

    public void PunchHole(long offset, long length) => engine.Locked(() =>
    {
        Assert.Equal(0, (offset | length) % engine.PageSize);
        Advance();
        engine.Cut(this, (int)(offset / engine.PageSize), (int)Math.Min(int.MaxValue, (offset + length) / engine.PageSize));
        return 0;
    });

    public void CloneRange(IExtentMap source, ReadOnlySpan<SharedRange> ranges, long newLength)
    {
        var (from, all) = ((ArrayFile)source, ranges.ToArray());
        engine.Locked(() =>
        {
            Assert.NotEmpty(all);
            Assert.InRange(newLength, Length, long.MaxValue);
            Advance();
            foreach (var range in all)
            {
                Assert.Equal(0, (range.SourceOffset | range.DestinationOffset | range.Length) % engine.PageSize);
                var (page, to) = ((int)(range.SourceOffset / engine.PageSize), (int)(range.DestinationOffset / engine.PageSize));
                for (var i = 0; i < range.Length / engine.PageSize; i++)
                {
                    ShowAt(to + i, from.BlockOf(page + i));
                }
            }

            Length = newLength;
            return 0;
        });
    }

    public void ReplaceWith(IExtentMap source, ReadOnlySpan<FileRange> kept)
    {
        var (from, keeps) = ((ArrayFile)source, kept.ToArray());
        engine.Locked(() =>
        {
            Advance();
            var pages = (int)((from.Length + engine.PageSize - 1) / engine.PageSize);
            for (var page = 0; page < pages; page++)
            {
                var at = (long)page * engine.PageSize;
                if (!Array.Exists(keeps, range => range.Offset <= at && at < range.End))
                {
                    ShowAt(page, from.BlockOf(page));
                }
            }

            engine.Cut(this, pages, int.MaxValue);
            Length = from.Length;
            return 0;
        });
    }

    public void Delete() => engine.Locked(() =>
    {
        Advance();
        Length = 0;
        engine.Cut(this, 0, int.MaxValue);
        return 0;
    });

    public ValueTask BeforeUnshareAsync(long offset, long length, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    internal void Advance() => Interlocked.Increment(ref _sequence);

    internal int BlockOf(int page) => page < Pages ? _blocks[page] : 0;

    internal int DurableBlockOf(int page) => page < _durablePages ? _durableBlocks[page] : 0;

    internal bool Shows(int block) => _blocks.AsSpan(0, Pages).Contains(block);

    internal void Put(int page, int block)
    {
        if (page >= Pages)
        {
            if (page >= _blocks.Length)
            {
                Array.Resize(ref _blocks, Math.Max(8, 2 * (page + 1)));
            }

            Pages = page + 1;
        }

        _blocks[page] = block;
    }

    internal void Persist(ArrayEngine counts)
    {
        IsChanged = false;
        DurableLength = Length;
        for (var page = 0; page < Math.Max(Pages, _durablePages); page++)
        {
            var (block, old) = (BlockOf(page), DurableBlockOf(page));
            if (block == old)
            {
                continue;
            }

            if (block != 0)
            {
                counts.ShowDurably(block);
            }

            if (old != 0)
            {
                counts.UnshowDurably(old);
            }
        }

        if (_durableBlocks.Length < Pages)
        {
            _durableBlocks = new int[_blocks.Length];
        }

        _blocks.AsSpan(0, Pages).CopyTo(_durableBlocks);
        _durablePages = Pages;
    }

    private void ShowAt(int page, int block)
    {
        if (block != 0)
        {
            engine.Bind(this, page, block);
        }
        else
        {
            engine.Cut(this, page, page + 1);
        }
    }
}
