using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Model;

/// <summary>
/// A volume, its files and an engine that does to them what engines do, one step at a time; beside it what every file
/// must show, worked out from extents and device bytes alone.
/// </summary>
internal sealed class ReadModel : IDisposable
{
    private const int MostFiles = 6;
    private const int MostLeases = 2;

    private readonly Random _random;
    private readonly TestCache _cache;
    private readonly int _block;
    private readonly int _blocks;
    private readonly List<(MappedFile File, CloneableExtents Extents)> _files = [];
    private readonly List<(PageMemoryLease Lease, byte[] Expected)> _leases = [];

    public ReadModel(int seed, int frames, int pageSize, int blockSize, EvictionPolicy policy, int readAhead, bool deviceFails)
    {
        _random = new Random(seed);
        _block = blockSize;
        _blocks = 64;
        _cache = new TestCache(frames, pageSize, blockSize, (long)_blocks * blockSize, policy, readAhead);
        if (deviceFails)
        {
            _cache.Device.BeforeRead = _ => _random.Next(8) == 0 ? throw new IOException("by chance.") : Task.CompletedTask;
            _cache.Device.Deliver = run => _random.Next(3) == 0 ? _random.Next((int)run.Length + 1) : (int)run.Length;
        }

        Open();
    }

    public PageCacheStatistics Figures => _cache.Figures;

    public async Task StepAsync()
    {
        switch (_random.Next(20))
        {
            case 0 when _files.Count < MostFiles:
                Open();
                break;
            case 1 when _files.Count < MostFiles:
                var origin = Any();
                var clone = origin.File.Clone();
                _files.Add((clone, (CloneableExtents)clone.Extents));
                break;
            case 2 when _files.Count > 1:
                var closing = Any();
                _files.Remove(closing);
                closing.File.Dispose();
                break;
            case 3:
                Overwrite();
                break;
            case 4:
                Remap();
                break;
            case 5:
                Relocate();
                break;
            case 6:
                _cache.EvictAll();
                break;
            case 7:
                await LeaseAsync();
                break;
            case 8 when _leases.Count > 0:
                _leases[0].Lease.Dispose();
                _leases.RemoveAt(0);
                break;
            case 9:
                await Any().File.PrefetchAsync(_random.Next(_blocks * _block), _random.Next(_blocks * _block));
                break;
            case 10:
                CheckReverse();
                break;
            case 11:
                await CheckReadAsync(Any().File, awaiting: true, whole: true);
                break;
            default:
                await CheckReadAsync(Any().File, awaiting: _random.Next(2) == 0, whole: false);
                break;
        }

        foreach (var (lease, expected) in _leases)
        {
            Files.AssertSame(expected, lease.Memory.Span);
        }
    }

    public void Verify() => _cache.Cache.Verify();

    public void Dispose()
    {
        _leases.ForEach(held => held.Lease.Dispose());
        _files.ForEach(opened => opened.File.Dispose());
        _cache.Dispose();
    }

    private (MappedFile File, CloneableExtents Extents) Any() => _files[_random.Next(_files.Count)];

    private void Open()
    {
        var extents = new CloneableExtents(RandomExtents());
        var length = _random.Next(1, _blocks * _block);
        _files.Add((_cache.Volume.OpenFile(extents, length), extents));
    }

    /// <summary>Runs, holes and unwritten stretches in any order, over blocks that other files may show too.</summary>
    private Extent[] RandomExtents()
    {
        var extents = new List<Extent>();
        for (var at = 0; at < _blocks;)
        {
            var length = Math.Min(_random.Next(1, 17), _blocks - at);
            var from = _random.Next(3) == 0 ? at : _random.Next(_blocks - length + 1);
            switch (_random.Next(8))
            {
                case 0:
                    break;
                case 1:
                    extents.Add(new Extent((long)at * _block, (long)length * _block, (long)from * _block, ExtentFlags.Unwritten));
                    break;
                default:
                    from = Math.Min(from, _blocks - length);
                    extents.Add(new Extent((long)at * _block, (long)length * _block, (long)from * _block));
                    break;
            }

            at += length;
        }

        return [.. extents];
    }

    /// <summary>Somebody writes blocks in place: changed, then discarded.</summary>
    private void Overwrite()
    {
        var first = _random.Next(_blocks);
        var count = _random.Next(1, Math.Min(8, _blocks - first) + 1);
        _random.NextBytes(_cache.Device.Bytes.Slice(first * _block, count * _block));
        _cache.Volume.Discard(new BlockRun((long)first * _block, (long)count * _block));
    }

    /// <summary>One file's extents change in a range while all blocks live on.</summary>
    private void Remap()
    {
        var (file, extents) = Any();
        var fresh = RandomExtents();
        var first = _random.Next(_blocks) * (long)_block;
        var last = first + (_random.Next(1, 20) * (long)_block);
        extents.Replace([.. Clip(extents.Current, 0, first), .. Clip(fresh, first, last), .. Clip(extents.Current, last, long.MaxValue)]);
        file.InvalidateExtents(first, last - first);
    }

    private static IEnumerable<Extent> Clip(IEnumerable<Extent> extents, long from, long to)
    {
        foreach (var extent in extents)
        {
            var start = Math.Max(extent.FileOffset, from);
            var end = Math.Min(extent.FileEnd, to);
            if (start < end)
            {
                yield return extent with
                {
                    FileOffset = start, Length = end - start, PhysicalOffset = extent.PhysicalOffset + (start - extent.FileOffset),
                };
            }
        }
    }

    /// <summary>Blocks move onto blocks that no file shows, if there are some.</summary>
    private void Relocate()
    {
        var shown = new bool[_blocks];
        foreach (var extent in _files.SelectMany(opened => opened.Extents.Current).Where(extent => !extent.ReadsZero))
        {
            shown.AsSpan((int)(extent.PhysicalOffset / _block), (int)(extent.Length / _block)).Fill(true);
        }

        var free = Array.IndexOf(shown, false);
        var from = Array.IndexOf(shown, true, _random.Next(_blocks));
        if (free < 0 || from < 0)
        {
            return;
        }

        var count = 1;
        while (count < 4 && free + count < _blocks && !shown[free + count] && from + count < _blocks && from + count != free)
        {
            count++;
        }

        var (source, target) = (new BlockRun((long)from * _block, (long)count * _block), new BlockRun((long)free * _block, (long)count * _block));
        if (source.Overlaps(target))
        {
            return;
        }

        // Copied -> Relocate -> extents changed -> Discard(old) and the old blocks are written anew.
        _cache.Device.Bytes.Slice((int)source.Offset, (int)source.Length).CopyTo(_cache.Device.Bytes[(int)target.Offset..]);
        _cache.Volume.Relocate(source, target);
        var tellsFiles = _random.Next(2) == 0;
        foreach (var (file, extents) in _files)
        {
            extents.Replace([.. extents.Current.SelectMany(extent => Moved(extent, source, target))]);
            if (tellsFiles)
            {
                file.InvalidateExtents(0, long.MaxValue);
            }
        }

        _cache.Volume.Discard(source);
        _random.NextBytes(_cache.Device.Bytes.Slice((int)source.Offset, (int)source.Length));
    }

    private static IEnumerable<Extent> Moved(Extent extent, BlockRun source, BlockRun target)
    {
        var shown = new BlockRun(extent.PhysicalOffset, extent.Length);
        if (extent.ReadsZero || !shown.Overlaps(source))
        {
            return [extent];
        }

        var start = Math.Max(shown.Offset, source.Offset) - shown.Offset + extent.FileOffset;
        var end = Math.Min(shown.End, source.End) - shown.Offset + extent.FileOffset;
        return
        [
            .. Clip([extent], extent.FileOffset, start),
            .. Clip([extent], start, end).Select(moved => moved with { PhysicalOffset = moved.PhysicalOffset - source.Offset + target.Offset }),
            .. Clip([extent], end, extent.FileEnd),
        ];
    }

    private async Task LeaseAsync()
    {
        if (_leases.Count >= Math.Min(MostLeases, Figures.LeaseLimit))
        {
            return;
        }

        var file = Any().File;
        var offset = _random.NextInt64(file.Length);
        PageMemoryLease lease;
        try
        {
            lease = await file.PinAsync(offset).Within();
        }
        catch (PageLoadException error) when (Failed(error))
        {
            return;
        }

        var expected = Expected(file, offset, (int)Math.Min(Figures.PageSize - (offset % Figures.PageSize), file.Length - offset));
        Files.AssertSame(expected, lease.Memory.Span);
        _leases.Add((lease, expected));
    }

    private async Task CheckReadAsync(MappedFile file, bool awaiting, bool whole)
    {
        var offset = whole ? 0 : _random.NextInt64(file.Length + 10);
        var count = whole ? (int)file.Length : _random.Next(1, 4 * Math.Max(Figures.PageSize, _block));
        var expected = Expected(file, offset, (int)Math.Clamp(file.Length - offset, 0, count));
        var buffer = Canary.Buffer(count + 16);
        if (file.TryRead(offset, buffer.AsSpan(0, count), out var read))
        {
            Files.AssertSame(expected, buffer.AsSpan(0, read));
        }
        else
        {
            Canary.AssertNothingForeign(buffer);
            Array.Fill(buffer, Canary.Value);
        }

        try
        {
            read = awaiting ? await file.ReadAsync(offset, buffer.AsMemory(0, count)) : file.Read(offset, buffer.AsSpan(0, count));
        }
        catch (PageLoadException error) when (Failed(error))
        {
            // What stands before the page that failed was read; behind it nothing was touched.
            var before = (int)Math.Max(0, error.Offset - offset);
            Files.AssertSame(expected.AsSpan(0, before), buffer.AsSpan(0, before));
            Canary.AssertUntouched(buffer.AsSpan(before));
            return;
        }

        Files.AssertSame(expected, buffer.AsSpan(0, read));
        Canary.AssertUntouched(buffer.AsSpan(read));
    }

    private bool Failed(PageLoadException error) => _cache.Device.BeforeRead is not null && error.InnerException is IOException;

    /// <summary>Every answer is true, and every page that is resident through a file is among the answers.</summary>
    private void CheckReverse()
    {
        var block = _random.Next(_blocks);
        var run = new BlockRun((long)block * _block, _block);
        var answers = _cache.Volume.FindReferences(run).ToList();
        foreach (var answer in answers)
        {
            Assert.True(run.Offset <= answer.Blocks.Offset && answer.Blocks.End <= run.End);
            var file = _files.Single(opened => ReferenceEquals(opened.Extents, answer.Extents)).File;
            Assert.InRange(answer.Offset, 0, file.Length - 1);
            Assert.Contains(((CloneableExtents)answer.Extents).Current, extent => !extent.ReadsZero
                && extent.FileOffset <= answer.Offset && answer.Offset < extent.FileEnd
                && extent.PhysicalOffset + (answer.Offset - extent.FileOffset) == answer.Blocks.Offset);
        }

        foreach (var (file, extents) in _files)
        {
            foreach (var extent in extents.Current.Where(extent => !extent.ReadsZero && run.Overlaps(new BlockRun(extent.PhysicalOffset, extent.Length))))
            {
                var offset = extent.FileOffset + (run.Offset - extent.PhysicalOffset);
                if (offset < file.Length && file.IsResident(offset))
                {
                    Assert.Contains(answers, answer => ReferenceEquals(answer.Extents, extents) && answer.Offset == offset && answer.IsResident);
                }
            }
        }
    }

    private byte[] Expected(MappedFile file, long offset, int count)
    {
        var bytes = new byte[count];
        foreach (var extent in Clip(((CloneableExtents)file.Extents).Current, offset, offset + count).Where(extent => !extent.ReadsZero))
        {
            _cache.Device.Bytes.Slice((int)extent.PhysicalOffset, (int)extent.Length).CopyTo(bytes.AsSpan((int)(extent.FileOffset - offset)));
        }

        return bytes;
    }
}
