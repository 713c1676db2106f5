namespace SharedPageCache.TestKit.Models;

/// <content>Leases: what they show is what the file held when they were taken, whatever happens meanwhile (I5).</content>
public sealed partial class FileModel
{
    /// <summary>The most pages that are leased over several steps; each is compared whenever a lease ends.</summary>
    private const int MostHeld = 8;

    private async ValueTask LeaseAsync(ModelledFile file)
    {
        // One is left over for leases that a step takes and gives back.
        var most = Math.Min(MostHeld, _shape.MostLeases - 1) - _held.Sum(static lease => lease.Pages);
        if (most <= 0 || file.Length == 0)
        {
            await ReadAsync(file).ConfigureAwait(false);
            return;
        }

        var offset = _dice.Below(file.Length);
        if (_dice.OneIn(3) && file.Length - offset > _page)
        {
            var length = Math.Min((long)_dice.From(1, most) * _page - (offset % _page), file.Length - offset);
            var range = await HandleOf(file).PinRangeAsync(offset, length).ConfigureAwait(false);
            var held = new HeldLease(range, null, range, file.Content.Part(offset, length).ToArray(), (int)((offset + length - 1) / _page - (offset / _page)) + 1, file.Number);
            _held.Add(held);
            RequireFrozen(held);
            return;
        }

        var lease = await HandleOf(file).PinAsync(offset).ConfigureAwait(false);
        _held.Add(new HeldLease(lease, lease, null, file.Content.Part(offset, lease.Length).ToArray(), 1, file.Number));
        Require(lease.Length == Math.Min(_page - (offset % _page), file.Length - offset), $"a lease has {lease.Length} bytes");
        RequireFrozen(_held[^1]);
    }

    private ValueTask ReleaseAsync()
    {
        _held.ForEach(RequireFrozen);
        if (_held.Count > 0)
        {
            var lease = _held[_dice.Below(_held.Count)];
            _held.Remove(lease);
            Release(lease);
        }

        return ValueTask.CompletedTask;
    }

    private void Release(HeldLease held)
    {
        RequireFrozen(held);
        held.Lease.Dispose();
    }

    private void RequireFrozen(HeldLease held)
    {
        var position = 0;
        if (held.Page is { } page)
        {
            Require(page.Memory.Span.SequenceEqual(held.Expected), $"a lease of a page of file {held.Number} has changed");
            position = page.Length;
        }
        else
        {
            foreach (var part in held.Range!.Sequence)
            {
                Require(
                    part.Length <= held.Expected.Length - position && part.Span.SequenceEqual(held.Expected.AsSpan(position, part.Length)),
                    $"a lease of a range of file {held.Number} has changed");
                position += part.Length;
            }
        }

        BytesCompared += position;
        Require(position == held.Expected.Length, $"a lease of file {held.Number} has {position} bytes, and not {held.Expected.Length}");
    }

    private ValueTask WriteUnderLeaseAsync(ModelledFile file)
    {
        var offset = _dice.Below(file.Length);
        if (!HandleOf(file).TryPin(offset, out var lease))
        {
            return WriteAsync(file);
        }

        var expected = file.Content.Part(offset, lease.Span.Length).ToArray();
        try
        {
            Require(lease.Span.SequenceEqual(expected), $"a lease at {offset} is wrong");
            var write = WriteAsync(file);
            if (!write.IsCompletedSuccessfully)
            {
                // The lease is a ref struct: it is compared when the write is over, on this thread.
                write.AsTask().GetAwaiter().GetResult();
            }

            Require(lease.Span.SequenceEqual(expected), $"a lease at {offset} has changed with a write of its file");
        }
        finally
        {
            lease.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Nobody sees what is written to a page that is leased for writing, whatever happens meanwhile, until it is committed; and that is
    /// refused if the page was cut.
    /// </summary>
    private async ValueTask LeaseForWriteAsync(ModelledFile file)
    {
        var (page, discards) = ((int)(_dice.Below(file.Length) / _page), _dice.OneIn(3));
        long start = page * _page;
        var handle = HandleOf(file);
        if (!_dice.OneIn(2) || !handle.TryLeaseForWrite(start, out var lease, discards))
        {
            lease = await handle.LeaseForWriteAsync(start, discards).ConfigureAwait(false);
        }

        using var leased = lease;
        _doing = _doing with { Offset = start, Count = lease.Length };
        var old = file.Content.Part(start, lease.Length);
        Require(old.Length == lease.Length, $"a lease for writing has {lease.Length} bytes");
        Require(discards ? lease.Span.IndexOfAnyExcept((byte)0) < 0 : lease.Span.SequenceEqual(old), $"page {page} leased for writing is wrong");
        var from = _dice.Below(lease.Length);
        Fill(start + from, 1 + _dice.Below(lease.Length - from)).Span.CopyTo(lease.Span[from..]);
        var written = lease.Memory.ToArray();
        var isCut = false;
        for (var i = _dice.Below(4); i > 0 && !file.IsSealed; i--)
        {
            isCut |= await MeanwhileAsync(file, page).ConfigureAwait(false);
        }

        isCut |= file.Length < start + written.Length;
        if (_dice.OneIn(4))
        {
            lease.Dispose();
        }
        else if (file.IsSealed)
        {
            Refusals++;
            RequireRefused<NotSupportedException>(lease.Commit, "the commit of a page of a file that was sealed");
        }
        else if (isCut)
        {
            Refusals++;
            RequireRefused<InvalidOperationException>(lease.Commit, "the commit of a page that was cut");
        }
        else
        {
            file.Changes(start, start + written.Length);
            if (_dice.OneIn(2))
            {
                lease.Commit();
            }
            else
            {
                await lease.CommitAsync().ConfigureAwait(false);
            }

            file.Content.Write(start, written);
        }

        await CheckAsync(file, Math.Max(0, start - 10), _page + 20).ConfigureAwait(false);
    }

    /// <summary>Something that does not wait for the lease of a page.</summary>
    /// <returns>Whether the page was cut.</returns>
    private async ValueTask<bool> MeanwhileAsync(ModelledFile file, int page)
    {
        var other = Any();
        switch (_dice.Below(8))
        {
            case 0 when other != file && !other.IsSealed:
                await WriteAsync(other).ConfigureAwait(false);
                break;
            case 1 when _files.Count < _shape.MostFiles:
                await CloneAsync(file).ConfigureAwait(false);
                await WriteAsync(_files[^1]).ConfigureAwait(false);
                break;
            case 2:
                await FlushFileAsync(file).ConfigureAwait(false);
                break;
            case 3:
                await FlushVolumeAsync().ConfigureAwait(false);
                break;
            case 4:
                var length = _dice.Below(file.Length + 1);
                await SetLengthAsync(file, length).ConfigureAwait(false);
                return length <= (long)page * _page;
            case 5:
                var first = _dice.Below((file.Length / _page) + 1);
                var pages = Math.Min(_dice.Below(4), (file.Length / _page) - first);
                file.Changes(first * _page, (first + pages) * _page);
                await HandleOf(file).PunchHoleAsync(first * _page, pages * _page).ConfigureAwait(false);
                file.Content.Punch(first * _page, pages * _page);
                return first <= page && page < first + pages;
            case 6:
                await RelocateAsync().ConfigureAwait(false);
                break;
            case 7 when _shape.Seals && MayBeSealed:
                HandleOf(file).Seal();
                file.Seal();
                break;
            default:
                await ReadAsync(file).ConfigureAwait(false);
                break;
        }

        return false;
    }

    private void RequireRefused<TException>(Action<Lsn> act, string what)
        where TException : Exception
    {
        try
        {
            act(Lsn.None);
        }
        catch (TException)
        {
            return;
        }

        throw Failure($"{what} was not refused");
    }

    /// <summary>A lease that is kept over several steps: of a page or of a range, and what it must show.</summary>
    private sealed record HeldLease(IDisposable Lease, PageMemoryLease? Page, PageRangeLease? Range, byte[] Expected, int Pages, int Number);
}
