using System.Buffers;

namespace SharedPageCache.Tests.Writing;

/// <content>Its files: maps of pages to blocks, and the hooks that change them.</content>
public sealed partial class PageEngine
{
    /// <summary>A file that is cloned by a system call.</summary>
    public class SystemClonedFile(PageEngine engine, long length) : PageFile(engine, length), IAsyncCloneableExtentMap
    {
        /// <summary>Called when the clone has been made, before it is answered.</summary>
        public Func<Task>? DuringClone { get; set; }

        public async ValueTask<IExtentMap> CloneAsync(CancellationToken cancellationToken)
        {
            var clone = Clone();
            await (DuringClone?.Invoke() ?? Task.CompletedTask);
            return clone;
        }
    }

    /// <summary>A file that is cloned by a system call, for which nothing else has to be flushed.</summary>
    public sealed class PromptlyClonedFile(PageEngine engine, long length) : SystemClonedFile(engine, length), IPromptCloneableExtentMap
    {
        /// <summary>How often it was asked.</summary>
        public int Asked { get; private set; }

        /// <summary>Whether it says that something has to be flushed first.</summary>
        public bool Declines { get; set; }

        /// <summary>Called when the clone has been made, before it is answered.</summary>
        public Action? DuringPromptClone { get; set; }

        public IExtentMap? TryClone()
        {
            Asked++;
            if (Declines)
            {
                return null;
            }

            var clone = Clone();
            DuringPromptClone?.Invoke();
            return clone;
        }
    }

    /// <summary>A file of the engine.</summary>
    public class PageFile(PageEngine engine, long length) : IWritableExtentMap
    {
        private long _sequence = 1;

        public PageEngine Engine => engine;

        public long Length { get; private set; } = length;

        public long DurableLength { get; private set; }

        public bool IsDeleted { get; private set; }

        public SortedDictionary<long, long> Blocks { get; private set; } = [];

        public SortedDictionary<long, long> DurableBlocks { get; private set; } = [];

        public long Sequence
        {
            get
            {
                if (engine.TellsSequence)
                {
                    engine.Before?.Invoke("Sequence");
                }

                return Interlocked.Read(ref _sequence);
            }
        }

        public virtual ValueTask GetExtentsAsync(
            long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
        {
            engine.Locked("GetExtents", () =>
            {
                for (var page = offset / engine.PageSize; page * engine.PageSize < offset + length; page++)
                {
                    if (Blocks.TryGetValue(page, out var block))
                    {
                        destination.Write([new Extent(page * engine.PageSize, engine.PageSize, block * engine.PageSize)]);
                    }
                }

                return 0;
            });
            return ValueTask.CompletedTask;
        }

        public IExtentMap Clone() => engine.Locked("Clone", () =>
        {
            var clone = new PageFile(engine, Length) { Blocks = new SortedDictionary<long, long>(Blocks) };
            foreach (var block in Blocks.Values)
            {
                engine.Refer(block);
            }

            engine.Add(clone);
            return clone;
        });

        public void SetLength(long newLength) => engine.Locked("SetLength", () =>
        {
            Length = newLength;
            Cut((newLength + engine.PageSize - 1) / engine.PageSize, long.MaxValue);
            return 0;
        });

        public void PunchHole(long offset, long length) => engine.Locked("PunchHole", () =>
        {
            Assert.Equal(0, (offset | length) % engine.PageSize);
            Cut(offset / engine.PageSize, (offset + length) / engine.PageSize - 1);
            return 0;
        });

        public void CloneRange(IExtentMap source, ReadOnlySpan<SharedRange> ranges, long newLength)
        {
            var (from, all) = ((PageFile)source, ranges.ToArray());
            engine.Locked("CloneRange", () =>
            {
                Assert.NotEmpty(all);
                Assert.InRange(newLength, Length, long.MaxValue);
                Advance();
                foreach (var range in all)
                {
                    Assert.Equal(0, (range.SourceOffset | range.DestinationOffset | range.Length) % engine.PageSize);
                    for (var done = 0L; done < range.Length; done += engine.PageSize)
                    {
                        Share(from, (range.SourceOffset + done) / engine.PageSize, (range.DestinationOffset + done) / engine.PageSize);
                    }
                }

                Length = newLength;
                engine.Cloned.Add(all);
                return 0;
            });
        }

        public void ReplaceWith(IExtentMap source, ReadOnlySpan<FileRange> kept)
        {
            var keeps = kept.ToArray();
            engine.Locked("ReplaceWith", () =>
            {
                var from = (PageFile)source;
                bool IsKept(long page) => Array.Exists(keeps, range => range.Offset <= page * engine.PageSize && page * engine.PageSize < range.End);
                var blocks = from.Blocks.Where(pair => !IsKept(pair.Key)).Concat(Blocks.Where(pair => IsKept(pair.Key)))
                    .Where(pair => pair.Key * engine.PageSize < from.Length).ToDictionary();
                foreach (var block in blocks.Values)
                {
                    engine.Refer(block);
                }

                foreach (var block in Blocks.Values)
                {
                    engine.Unrefer(block);
                }

                Blocks = new SortedDictionary<long, long>(blocks);
                Length = from.Length;
                Advance();
                return 0;
            });
        }

        public void Delete() => engine.Locked("Delete", () =>
        {
            IsDeleted = true;
            Length = 0;
            Cut(0, long.MaxValue);
            return 0;
        });

        public ValueTask BeforeUnshareAsync(long offset, long length, CancellationToken cancellationToken)
        {
            engine.Before?.Invoke("BeforeUnshare");
            engine.NoteUnshare();
            return ValueTask.CompletedTask;
        }

        /// <summary>The engine itself gives a page another block.</summary>
        public void Rebind(long page, long block) => engine.Locked("Rebind", () =>
        {
            Advance();
            Bind(page, block);
            return 0;
        });

        internal void Bind(long page, long block)
        {
            engine.Refer(block);
            if (Blocks.TryGetValue(page, out var old))
            {
                engine.Unrefer(old);
            }

            Blocks[page] = block;
        }

        private void Share(PageFile from, long page, long to)
        {
            if (from.Blocks.TryGetValue(page, out var block))
            {
                Bind(to, block);
            }
            else if (Blocks.Remove(to, out var old))
            {
                engine.Unrefer(old);
            }
        }

        internal void Advance() => Interlocked.Increment(ref _sequence);

        internal void Persist()
        {
            DurableLength = Length;
            DurableBlocks = new SortedDictionary<long, long>(Blocks);
        }

        private void Cut(long firstPage, long lastPage)
        {
            foreach (var (page, block) in Blocks.Where(pair => pair.Key >= firstPage && pair.Key <= lastPage).ToList())
            {
                engine.Unrefer(block);
                Blocks.Remove(page);
            }

            Advance();
        }
    }
}
