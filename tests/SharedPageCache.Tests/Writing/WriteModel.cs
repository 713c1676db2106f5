namespace SharedPageCache.Tests.Writing;

/// <summary>One random history of some files, with byte arrays as the oracle.</summary>
public sealed class WriteModel : IDisposable
{
    private readonly List<Pair> _files = [];
    private readonly Random _random;
    private readonly WriteCache _cache;
    private readonly RangeModel _ranges;
    private readonly int _seed;
    private readonly int _pageSize;
    private readonly int _frames;
    private readonly int _mostPages;
    private int _steps;

    public WriteModel(int seed)
    {
        _seed = seed;
        _random = new Random(seed);
        _pageSize = 512 << _random.Next(4);
        _frames = _random.Next(3) == 0 ? 3 + _random.Next(14) : 24 + _random.Next(100);
        _mostPages = _random.Next(4) == 0 ? 1100 : 1 + _random.Next(32);
        _cache = new WriteCache(
            _frames, _pageSize, 4096L * _pageSize * 4, inPlace: _random.Next(3) == 0,
            _random.Next(2) == 0 ? EvictionPolicy.Clock : EvictionPolicy.S3Fifo);
        _ranges = new RangeModel(_random, _pageSize, _mostPages * _pageSize, (where, condition) => Assert.True(condition, $"{this}, step {_steps}: {where}"));
        for (var i = 0; i < 2; i++)
        {
            var pages = 1 + _random.Next(Math.Min(_mostPages, 600));
            var file = _cache.OpenMapped(pages);
            _files.Add(new Pair(file, _cache.Device.Copy(((PageEngine.PageFile)file.Extents).Blocks[0] * _pageSize, (long)pages * _pageSize)));
        }
    }

    public override string ToString() =>
        $"seed {_seed}: pages of {_pageSize}, {_frames} frames, files of up to {_mostPages} pages";

    public async Task RunAsync(int steps)
    {
        try
        {
            for (var i = 0; i < steps; i++)
            {
                await StepAsync();
            }

            await FinishAsync();
        }
        catch
        {
            // The first failure is the one to tell.
            _cache.Abandon();
            throw;
        }
    }

    private async Task StepAsync()
    {
        _steps++;
        var pair = _files[_random.Next(_files.Count)];
        switch (_random.Next(109))
        {
            case < 30:
                Write(pair);
                break;
            case < 60:
                Read(pair);
                break;
            case < 70 when _files.Count < 8:
                Clone(pair);
                break;
            case < 74:
                await SetLengthAsync(pair);
                break;
            case < 80:
                await PunchAsync(pair);
                break;
            case < 85:
                await FlushAsync(pair);
                break;
            case < 87:
                await FlushAllAsync();
                break;
            case < 90 when _files.Count > 2:
                await CloseAsync(pair);
                break;
            case < 92 when _files.Count > 2:
                pair.File.Delete();
                _files.Remove(pair);
                break;
            case < 95:
                Lease(pair);
                break;
            case < 96 when _files.Count < 8:
                var length = _random.Next(_mostPages * _pageSize);
                _files.Add(new Pair(_cache.OpenNew(length), new byte[length]));
                break;
            case < 97:
                pair.File.InvalidateExtents(0, 0);
                pair.Changes();
                break;
            case < 98:
                await MergeAsync(pair, _files[_random.Next(_files.Count)]);
                break;
            case < 99:
                Diff(pair, _files[_random.Next(_files.Count)]);
                break;
            case < 100 when pair.Bytes.Length > 0:
                await WriteAroundAsync(pair);
                break;
            case < 103:
                await WriteLeaseAsync(pair);
                break;
            default:
                await _ranges.StepAsync(_files[_random.Next(_files.Count)], pair);
                break;
        }

        if (_steps % 200 == 0)
        {
            _cache.Cache.Verify();
        }
    }

    private async Task FinishAsync()
    {
        await FlushAllAsync();
        foreach (var pair in _files)
        {
            Check(pair, 0, pair.Bytes.Length);
        }

        Assert.Equal(0, _cache.Figures.DirtyBytes);
        foreach (var pair in _files)
        {
            pair.Dispose();
        }

        _files.Clear();
    }

    public void Dispose() => _cache.Dispose();

    private void Write(Pair pair)
    {
        var offset = _random.Next(3) == 0
            ? _random.Next(_mostPages) * _pageSize
            : _random.Next(Math.Max(1, Math.Min(_mostPages * _pageSize, pair.Bytes.Length + 3 * _pageSize)));
        var count = _random.Next(3) == 0 ? (1 + _random.Next(3)) * _pageSize : 1 + _random.Next(3 * _pageSize);
        count = Math.Min(count, _mostPages * _pageSize - offset);
        if (count <= 0)
        {
            return;
        }

        var bytes = new byte[count];
        _random.NextBytes(bytes);
        pair.Changes();
        pair.File.Write(offset, bytes);
        if (pair.Bytes.Length < offset + count)
        {
            pair.Resize(offset + count);
        }

        bytes.CopyTo(pair.Bytes, offset);
        Check(pair, Math.Max(0, offset - 10), count + 20);
    }

    private async Task WriteAroundAsync(Pair pair)
    {
        var offset = _random.Next((pair.Bytes.Length - 1) / _pageSize + 1) * _pageSize;
        var bytes = new byte[Math.Min((1 + _random.Next(4)) * _pageSize, pair.Bytes.Length - offset)];
        _random.NextBytes(bytes);
        pair.Changes();
        await pair.File.WriteAroundAsync(offset, bytes);
        bytes.CopyTo(pair.Bytes, offset);
        Assert.True(
            _cache.DurableOf(pair.File).AsSpan(offset, bytes.Length).SequenceEqual(bytes), $"{this}, step {_steps}: written around, and not durable");
        Check(pair, Math.Max(0, offset - _pageSize), bytes.Length + 2 * _pageSize);
    }

    private void Read(Pair pair) =>
        Check(pair, _random.Next(pair.Bytes.Length + 1), 1 + _random.Next(5 * _pageSize));

    private void Clone(Pair pair) => _files.Add(pair.CloneAs(_cache.Own(pair.File.Clone())));

    /// <summary>A branch goes into a file that surely is what it began with; if it goes into another one, that must be so.</summary>
    private async Task MergeAsync(Pair branch, Pair target)
    {
        if (branch == target)
        {
            return;
        }

        try
        {
            await branch.File.MergeIntoAsync(target.File);
        }
        catch (MergeConflictException)
        {
            Assert.False(target.SurelyIsWhatBeganWith(branch), $"{this}, step {_steps}: a merge was refused");
            Check(target, 0, target.Bytes.Length);
            return;
        }

        Assert.True(target.Bytes.AsSpan().SequenceEqual(branch.Begun), $"{this}, step {_steps}: a file was merged into that had changed");
        target.TakeOver(branch);
        Check(target, 0, target.Bytes.Length);
    }

    private void Diff(Pair one, Pair other)
    {
        var differs = new bool[Math.Max(one.Bytes.Length, other.Bytes.Length) / _pageSize + 1];
        foreach (var range in one.File.DiffPages(other.File))
        {
            differs.AsSpan((int)(range.Offset / _pageSize), (int)((range.Length + _pageSize - 1) / _pageSize)).Fill(true);
        }

        for (var page = 0; page < differs.Length; page++)
        {
            Assert.True(
                differs[page] || one.PageAt(page, _pageSize).SequenceEqual(other.PageAt(page, _pageSize)),
                $"{this}, step {_steps}: page {page} differs and is not listed");
        }
    }

    private async Task SetLengthAsync(Pair pair)
    {
        var length = _random.Next(_mostPages * _pageSize + 1);
        pair.Changes();
        await pair.File.SetLengthAsync(length);
        pair.Resize(length);
        Check(pair, Math.Max(0, length - 3 * _pageSize), 4 * _pageSize);
    }

    private async Task PunchAsync(Pair pair)
    {
        var offset = _random.Next(pair.Bytes.Length + 1);
        var length = _random.Next(6 * _pageSize);
        pair.Changes();
        if (_random.Next(2) == 0)
        {
            await pair.File.PunchHoleAsync(offset, length);
        }
        else
        {
            length = Math.Min(length, (_mostPages * _pageSize) - offset);
            await pair.File.ZeroRangeAsync(offset, length);
            pair.Resize(Math.Max(pair.Bytes.Length, offset + length));
        }

        pair.Bytes.AsSpan(offset, Math.Min(length, pair.Bytes.Length - offset)).Clear();
        Check(pair, Math.Max(0, offset - _pageSize), length + 2 * _pageSize);
    }

    private async Task FlushAsync(Pair pair)
    {
        if (_random.Next(2) == 0)
        {
            await pair.File.FlushAsync();
            AssertDurable(pair);
        }
        else
        {
            await pair.File.FlushAsync(_random.Next(pair.Bytes.Length + 1), _random.Next(10 * _pageSize));
        }
    }

    private async Task FlushAllAsync()
    {
        await _cache.Volume.FlushAsync();
        foreach (var pair in _files)
        {
            AssertDurable(pair);
        }
    }

    private async Task CloseAsync(Pair pair)
    {
        if (_random.Next(2) == 0)
        {
            await pair.File.DisposeAsync();
            AssertDurable(pair);
        }
        else
        {
            pair.File.Dispose();
            await _cache.Volume.FlushAsync();
            AssertDurable(pair);
        }

        _files.Remove(pair);
    }

    /// <summary>A lease shows what the file held when it was taken, whatever happens meanwhile.</summary>
    private void Lease(Pair pair)
    {
        if (pair.Bytes.Length == 0)
        {
            return;
        }

        var offset = _random.Next(pair.Bytes.Length);
        if (pair.File.TryPin(offset, out var lease))
        {
            using (lease)
            {
                var expected = pair.Bytes.AsSpan(offset, lease.Span.Length).ToArray();
                Assert.True(lease.Span.SequenceEqual(expected), $"{this}, step {_steps}: a lease at {offset}");
                Write(pair);
                Assert.True(lease.Span.SequenceEqual(expected), $"{this}, step {_steps}: a lease at {offset} that was written under");
            }
        }
    }

    /// <summary>
    /// A page leased for writing: nobody sees what is written there, whatever happens meanwhile, until it is committed; and
    /// that is refused if the page was cut.
    /// </summary>
    private async Task WriteLeaseAsync(Pair pair)
    {
        if (pair.Bytes.Length == 0)
        {
            return;
        }

        var (page, discards) = (_random.Next(pair.Bytes.Length) / _pageSize, _random.Next(3) == 0);
        var start = page * _pageSize;
        using var lease = await pair.File.LeaseForWriteAsync(start, discards);
        var old = pair.Bytes.AsSpan(start, lease.Length).ToArray();
        Assert.True(lease.Span.SequenceEqual(discards ? new byte[old.Length] : old), $"{this}, step {_steps}: page {page} leased for writing");
        var (from, count) = (_random.Next(lease.Length), 1 + _random.Next(lease.Length));
        var bytes = new byte[Math.Min(count, lease.Length - from)];
        _random.NextBytes(bytes);
        bytes.CopyTo(lease.Span[from..]);
        var written = lease.Memory.ToArray();
        var isCut = false;
        for (var i = _random.Next(4); i > 0; i--)
        {
            isCut |= await MeanwhileAsync(pair, page);
        }

        isCut |= pair.Bytes.Length < start + written.Length;
        if (_random.Next(4) == 0)
        {
            lease.Dispose();
        }
        else if (isCut)
        {
            Assert.Throws<InvalidOperationException>(() => lease.Commit());
        }
        else if (_random.Next(2) == 0)
        {
            pair.Changes();
            lease.Commit();
            written.CopyTo(pair.Bytes, start);
        }
        else
        {
            pair.Changes();
            await lease.CommitAsync();
            written.CopyTo(pair.Bytes, start);
        }

        Check(pair, Math.Max(0, start - 10), _pageSize + 20);
    }

    /// <summary>Something that does not wait for the lease of a page.</summary>
    /// <returns>Whether the page was cut.</returns>
    private async Task<bool> MeanwhileAsync(Pair pair, int page)
    {
        var other = _files[_random.Next(_files.Count)];
        switch (_random.Next(7))
        {
            case 0 when other != pair:
                Write(other);
                break;
            case 1 when _files.Count < 8:
                Clone(pair);
                Write(_files[^1]);
                break;
            case 2:
                await FlushAsync(pair);
                break;
            case 3:
                await FlushAllAsync();
                break;
            case 4:
                var length = _random.Next(pair.Bytes.Length + 1);
                pair.Changes();
                await pair.File.SetLengthAsync(length);
                pair.Resize(length);
                return length <= page * _pageSize;
            case 5:
                var first = _random.Next((pair.Bytes.Length / _pageSize) + 1);
                var pages = Math.Min(_random.Next(4), (pair.Bytes.Length / _pageSize) - first);
                pair.Changes();
                await pair.File.PunchHoleAsync(first * _pageSize, pages * _pageSize);
                pair.Bytes.AsSpan(first * _pageSize, pages * _pageSize).Clear();
                return first <= page && page < first + pages;
            default:
                Read(pair);
                break;
        }

        return false;
    }

    private void Check(Pair pair, int offset, int count)
    {
        var bytes = new byte[count];
        var read = pair.File.Read(offset, bytes);
        var expected = pair.Bytes.AsSpan(Math.Min(offset, pair.Bytes.Length), Math.Max(0, Math.Min(count, pair.Bytes.Length - offset)));
        Assert.True(expected.Length == read, $"{this}, step {_steps}: {read} bytes at {offset}, expected {expected.Length}");
        var wrong = bytes.AsSpan(0, read).CommonPrefixLength(expected);
        Assert.True(wrong == read, $"{this}, step {_steps}: wrong at {offset + wrong} (page {(offset + wrong) / _pageSize}) of {pair.Bytes.Length}");
    }

    private void AssertDurable(Pair pair)
    {
        var durable = _cache.DurableOf(pair.File);
        Assert.True(durable.Length == pair.Bytes.Length, $"{this}, step {_steps}: {durable.Length} bytes are durable of {pair.Bytes.Length}");
        var wrong = durable.AsSpan().CommonPrefixLength(pair.Bytes);
        Assert.True(wrong == durable.Length, $"{this}, step {_steps}: not durable at {wrong} (page {wrong / _pageSize}) of {durable.Length}");
    }

    /// <summary>A file and what it should hold; and what it held when it began.</summary>
    public sealed class Pair : IDisposable
    {
        private byte[] _bytes;
        private object _content = new();
        private object _begun;

        public Pair(MappedFile file, byte[] bytes)
        {
            (File, _bytes, Begun) = (file, bytes, [.. bytes]);
            _begun = _content;
        }

        public MappedFile File { get; }

        public byte[] Bytes => _bytes;

        public byte[] Begun { get; private set; }

        public void Resize(int length) => Array.Resize(ref _bytes, length);

        public ReadOnlySpan<byte> PageAt(int page, int pageSize) =>
            Bytes.AsSpan(Math.Min(Bytes.Length, page * pageSize), Math.Clamp(Bytes.Length - page * pageSize, 0, pageSize));

        /// <summary>The content changes, or perhaps stays the same by chance.</summary>
        public void Changes() => _content = new object();

        public Pair CloneAs(MappedFile clone) => new(clone, [.. Bytes]) { _content = _content, _begun = _content };

        public bool SurelyIsWhatBeganWith(Pair branch) => _content == branch._begun;

        public void TakeOver(Pair branch)
        {
            (_bytes, _content) = ([.. branch.Bytes], branch._content);
            (branch.Begun, branch._begun) = ([.. branch.Bytes], branch._content);
        }

        public void Dispose() => File.Dispose();
    }
}
