using System.Runtime.CompilerServices;
using SharedPageCache.Stress.Storms;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Stress.Lifetimes;

/// <summary>
/// One round of leases (T7): a small cache, a file that is written all the time, and workers that take leases in every way
/// there is and end them in every way there is. A sequence is one lease from its beginning to its end.
/// </summary>
/// <remarks>
/// Shown for each: the bytes are at the end what they were at the beginning, whatever happened to the page meanwhile (I5); a
/// lease that has ended gives an exception and never bytes; no pin is given back twice or never (I6). The last leases outlive file,
/// volume and cache. A round that is checked also plants releases by copies, which checked mode must refuse one by one.
/// </remarks>
internal sealed class LeaseRound
{
    private const int Page = 512;
    private const int Pages = 40;
    private const int Frames = 64;
    private const int Workers = 4;
    private const int HeldByEach = 3;
    private const long Blocks = 16384;

    private readonly ulong _seed;
    private readonly bool _isChecked;
    private readonly PageCache _cache;
    private readonly CachedVolume _volume;
    private readonly MappedFile _file;
    private readonly Held?[] _mailboxes = new Held?[Workers];
    private readonly LeaseFigures _figures = new();
    private long _planted;
    private long _refused;
    private long _leaked;

    public LeaseRound(ulong seed)
    {
        _seed = seed;
        _isChecked = CheckedRuns.Has(seed);
        _cache = new PageCache(new PageCacheOptions
        {
            PageSize = Page, ExactFrameCount = Frames, HugePages = false, Checked = _isChecked, DirtyAge = TimeSpan.FromMilliseconds(10),
            CheckedReport = misuse => Interlocked.Increment(ref misuse.Kind == CacheMisuseKind.ReleasedTwice ? ref _refused : ref _figures.Reports),
        });
        var device = new MemoryDevice(Blocks * Page, Page);
        var engine = new PageEngine(Blocks, Page);
        _volume = _cache.AttachVolume(device, new VolumeOptions { Placement = engine });
        engine.Volume = _volume;
        _file = _volume.OpenFile(engine.CreateMapped(Pages), Pages * Page);
    }

    /// <summary>Runs some sequences; afterwards everything has come back.</summary>
    public async Task<LeaseFigures> RunAsync(int sequences)
    {
        var left = await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(() => WorkAsync(worker, sequences / Workers))));
        _cache.Verify();
        _file.Dispose();
        _volume.Dispose();
        _cache.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await _file.PinAsync(0));
        foreach (var held in left.SelectMany(static held => held).Concat(_mailboxes.OfType<Held>()))
        {
            held.RequireSame();
            held.End();
            _figures.Outlived++;
        }

        for (var round = 0; round < 50 && (_cache.GetStatistics().LeakedLeases < _leaked || Words.PinsOf(_cache) != 0); round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.Equal(_leaked, _cache.GetStatistics().LeakedLeases);
        Assert.Equal(0, Words.PinsOf(_cache));
        Assert.Equal(0, _cache.GetStatistics().LeasedFrames - StillCharged());
        Assert.Equal(_planted, _refused);
        Assert.Equal(_isChecked ? _leaked : 0, _figures.Reports);
        Assert.Empty(_cache.GetHolders());
        Assert.True(SpinWait.SpinUntil(() => _cache.GetStatistics().ResidentBytes == 0, TimeSpan.FromSeconds(20)), Words.OfFrames(_cache));
        _cache.Verify();
        _figures.Leaked = _leaked;
        _figures.Planted = _planted;
        _figures.CheckedSequences = _isChecked ? _figures.Sequences : 0;
        return _figures;
    }

    /// <summary>Charges of frames that nobody pins any more are taken back only when the limit is reached.</summary>
    private long StillCharged() => _cache.Engine.Rooms.LeasedFrames.Count;

    private async Task<List<Held>> WorkAsync(int number, int sequences)
    {
        var dice = new Dice(Dice.Mix(_seed, (ulong)number + 1));
        var held = new List<Held>();
        var buffer = new byte[2 * Page];
        for (var done = 0; done < sequences; done++)
        {
            var offset = dice.Below((long)Pages) * Page + dice.Below(Page);
            switch (dice.Below(20))
            {
                case < 4:
                    OnTheStack(offset);
                    break;
                case < 8:
                    AsAValue(dice, offset);
                    break;
                case < 10:
                    await ForWritingAsync(dice, offset);
                    break;
                case < 12:
                    _file.Write(Math.Min(offset, Pages * Page - 8), BitConverter.GetBytes(dice.Next()));
                    goto default;
                case 12:
                    _file.Read(offset, buffer);
                    goto default;
                case 13:
                    using (var clone = dice.OneIn(20) ? _file.Clone() : null)
                    {
                        held.Add(await TakeAsync(dice, clone ?? _file, offset));
                    }

                    break;
                case 14 when dice.OneIn(500):
                    Leak(offset);
                    Collect();
                    break;
                case 14 when dice.OneIn(50):
                    await _file.FlushAsync();
                    goto default;
                default:
                    held.Add(await TakeAsync(dice, _file, offset));
                    break;
            }

            _figures.Count();
            if (dice.OneIn(4) && held.Count > 0)
            {
                // Somebody else ends it.
                held[^1].RequireSame();
                var swapped = Interlocked.Exchange(ref _mailboxes[dice.Below(Workers)], held[^1]);
                held.RemoveAt(held.Count - 1);
                if (swapped is not null)
                {
                    held.Add(swapped);
                }
            }

            while (held.Count >= HeldByEach || (held.Count > 0 && dice.OneIn(3)))
            {
                var ending = held[dice.Below(held.Count)];
                held.Remove(ending);
                await EndAsync(dice, ending);
            }
        }

        return held;
    }

    private async ValueTask<Held> TakeAsync(Dice dice, MappedFile file, long offset)
    {
        if (dice.OneIn(5))
        {
            var range = await file.PinRangeAsync(offset, Page);
            return new Held(range, () => range.Sequence.FirstSpan);
        }

        var lease = await file.PinAsync(offset);
        return new Held(lease, () => lease.Memory.Span);
    }

    private async ValueTask EndAsync(Dice dice, Held held)
    {
        if (dice.OneIn(20))
        {
            await Task.Yield();
            _figures.Hopped();
        }

        held.RequireSame();
        if (dice.OneIn(200))
        {
            // At once by two; each may be first.
            await Task.WhenAll(Task.Run(held.End), Task.Run(held.End));
            _figures.EndedByTwo();
        }
        else
        {
            held.End();
        }

        if (dice.OneIn(3))
        {
            held.End();
            _figures.EndedTwice();
        }

        if (dice.OneIn(50))
        {
            Assert.Throws<ObjectDisposedException>(held.Use);
            _figures.UsedLate();
        }
    }

    private void OnTheStack(long offset)
    {
        if (!_file.TryPin(offset, out var lease))
        {
            _file.Read(offset, new byte[1]);
            return;
        }

        var (first, last) = (lease.Span[0], lease.Span[^1]);
        _file.Write(offset, [(byte)(first + 1)]);
        Assert.Equal((first, last), (lease.Span[0], lease.Span[^1]));
        lease.Dispose();
        lease.Dispose();
        var thrown = false;
        try
        {
            _ = lease.Span;
        }
        catch (ObjectDisposedException)
        {
            thrown = true;
        }

        Assert.True(thrown);
    }

    private void AsAValue(Dice dice, long offset)
    {
        if (!_file.TryKeep(offset, out var page))
        {
            return;
        }

        var first = page.Span[0];
        _file.Write(offset, [(byte)(first + 1)]);
        Assert.Equal(first, page.Span[0]);
        page.Release();
        if (_isChecked && dice.OneIn(4))
        {
            Interlocked.Increment(ref _planted);
            Assert.Throws<InvalidOperationException>(page.Release);
        }
    }

    private async ValueTask ForWritingAsync(Dice dice, long offset)
    {
        if (!_file.TryLeaseForWrite(offset, out var lease, discardContent: dice.OneIn(2)))
        {
            return;
        }

        lease.Span.Fill((byte)dice.Next());
        if (dice.OneIn(20))
        {
            await Task.Yield();
        }

        if (dice.OneIn(2))
        {
            await lease.CommitAsync();
            Assert.Throws<InvalidOperationException>(() => lease.Memory.Length);
        }

        lease.Dispose();
        lease.Dispose();
        if (!lease.IsCommitted)
        {
            Assert.Throws<ObjectDisposedException>(() => lease.Memory.Length);
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await lease.CommitAsync());
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Leak(long offset)
    {
        if (_file.TryLeaseForWrite(offset, out _))
        {
            Interlocked.Increment(ref _leaked);
        }

        _ = _file.PinAsync(offset).AsTask().GetAwaiter().GetResult();
        Interlocked.Increment(ref _leaked);
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    private delegate ReadOnlySpan<byte> Bytes();

    /// <summary>A lease, and what its bytes were when it was taken.</summary>
    private sealed class Held
    {
        private readonly IDisposable _lease;
        private readonly Bytes _bytes;
        private readonly byte[] _before;

        public Held(IDisposable lease, Bytes bytes)
        {
            (_lease, _bytes) = (lease, bytes);
            _before = bytes().ToArray();
        }

        public void RequireSame() => Assert.True(_bytes().SequenceEqual(_before), "I5: a leased page has changed");

        public void Use() => _ = _bytes();

        public void End() => _lease.Dispose();
    }
}
