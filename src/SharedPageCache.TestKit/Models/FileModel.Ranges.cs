namespace SharedPageCache.TestKit.Models;

/// <content>Ranges of two files, or of one.</content>
public sealed partial class FileModel
{
    private (long From, long To, long Count) ChooseRanges(ModelledFile source, ModelledFile file)
    {
        long from = _dice.Below(source.Length + _page);
        long to = _dice.Below(Math.Min(_longest, file.Length + (3 * _page)) + 1);
        long count = _dice.OneIn(3) ? _dice.Below(_longest + 1) : _dice.Below(6 * _page);
        switch (_dice.Below(4))
        {
            case 0:
                (from, to) = (from / _page * _page, to / _page * _page);
                break;
            case 1:
                to = (to / _page * _page) + (from % _page);
                break;
            case 2:
                // To the very ends.
                (from, count) = (from / _page * _page, long.MaxValue);
                to = _dice.OneIn(2) ? to / _page * _page : file.Length;
                break;
        }

        var most = Math.Max(0, _longest - to);
        return (from, to, count == long.MaxValue && source.Length - from <= most ? count : Math.Min(count, most));
    }

    private async ValueTask CloneRangeAsync(ModelledFile source, ModelledFile file)
    {
        var (from, to, count) = ChooseRanges(source, file);
        var length = Math.Clamp(source.Length - from, 0, count);
        var (fromHandle, handle) = (HandleOf(source), HandleOf(file));
        if (source == file && length > 0 && Math.Abs(from - to) < length)
        {
            if (!_dice.OneIn(8))
            {
                count = length = Math.Abs(from - to);
            }
            else
            {
                await RequireRefusedAsync<ArgumentException>(() => handle.CloneRangeAsync(fromHandle, from, to, count), file).ConfigureAwait(false);
                return;
            }
        }

        _doing = _doing with { Offset = to, Count = count, Other = source, OtherOffset = from };
        if ((from - to) % _page != 0 && length > 0 && PagesOf(to, length) > Math.Max(2, handle.MaxAtomicWrite / _page))
        {
            if (_dice.OneIn(8))
            {
                await RequireRefusedAsync<CacheCapacityException>(() => handle.CloneRangeAsync(fromHandle, from, to, count), file).ConfigureAwait(false);
                return;
            }

            count = length = Math.Min(length, (Math.Max(2, handle.MaxAtomicWrite / _page) * _page) - (to % _page));
        }

        file.Changes(Math.Min(to, file.Length), to + length);
        var done = _dice.OneIn(2)
            ? handle.CloneRange(fromHandle, from, to, count) : await handle.CloneRangeAsync(fromHandle, from, to, count).ConfigureAwait(false);
        Require(done == length, $"{done} bytes were cloned, and not {length}");
        if (length > 0)
        {
            file.Content.CloneRange(source.Content, from, to, length);
        }

        await CheckRangesAsync(source, file, from, to, length).ConfigureAwait(false);
    }

    private async ValueTask DedupeAsync(ModelledFile source, ModelledFile file)
    {
        var (from, to, count) = ChooseRanges(source, file);
        var length = Math.Max(0, Math.Min(count, Math.Min(source.Length - from, file.Length - to)));
        _doing = _doing with { Offset = to, Count = length, Other = source, OtherOffset = from };
        if (length == 0 || (source == file && Math.Abs(from - to) < length))
        {
            return;
        }

        file.Changes(to, to + length);
        if (_dice.OneIn(2))
        {
            length = Math.Min(length, 3 * _page);
            source.Content.Part(from, length).CopyTo(_written);
            HandleOf(file).Write(to, _written.AsSpan(0, (int)length));
            file.Content.CloneRange(source.Content, from, to, length);
        }

        var shared = _dice.OneIn(2)
            ? HandleOf(file).Dedupe(HandleOf(source), from, to, length)
            : await HandleOf(file).DedupeAsync(HandleOf(source), from, to, length).ConfigureAwait(false);
        var isEqual = source.Content.Part(from, length).SequenceEqual(file.Content.Part(to, length));
        var expected = (from - to) % _page == 0 ? SharedBytes(to, length, file.Length) : 0;
        Require(isEqual ? shared == expected : shared <= expected, $"{shared} bytes are shared, expected {(isEqual ? "" : "at most ")}{expected}");
        await CheckRangesAsync(source, file, from, to, length).ConfigureAwait(false);
    }

    /// <summary>Small files are read as a whole, others at the range and before it.</summary>
    private async ValueTask CheckRangesAsync(ModelledFile source, ModelledFile file, long from, long to, long length)
    {
        var around = (int)Math.Min(length, 16 * _page) + (2 * _page);
        await CheckAsync(file, file.Length <= AllIsCompared ? 0 : Math.Max(0, to - _page), file.Length <= AllIsCompared ? _longest + 1 : around).ConfigureAwait(false);
        await CheckAsync(source, Math.Min(source.Length, Math.Max(0, from - _page)), around).ConfigureAwait(false);
    }

    /// <summary>The bytes of whole pages, and of the page in which the file ends.</summary>
    private long SharedBytes(long offset, long length, long fileLength)
    {
        var (bytes, end) = (0L, offset + length);
        for (var page = (offset + _page - 1) / _page * _page; page < end; page += _page)
        {
            bytes += page + _page <= end ? _page : end == fileLength ? end - page : 0;
        }

        return bytes;
    }

    private long PagesOf(long offset, long length) => ((offset + length - 1) / _page) - (offset / _page) + 1;

    private async ValueTask RequireRefusedAsync<TException>(Func<ValueTask<long>> act, ModelledFile file)
        where TException : Exception
    {
        try
        {
            await act().ConfigureAwait(false);
        }
        catch (TException)
        {
            Refusals++;
            await CheckAsync(file, 0, _longest + 1).ConfigureAwait(false);
            return;
        }

        throw Failure($"it is not refused with {typeof(TException).Name}");
    }
}
