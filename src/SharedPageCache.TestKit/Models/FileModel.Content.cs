using SharedPageCache.TestKit.Words;

namespace SharedPageCache.TestKit.Models;

/// <content>Reads, writes, lengths and holes.</content>
public sealed partial class FileModel
{
    private ValueTask ReadAsync(ModelledFile file)
    {
        var (offset, count) = (_dice.Below(file.Length + 1), 1 + _dice.Below(_dice.OneIn(8) ? _longest : _dice.OneIn(2) ? 5 * _page : 64));
        _doing = _doing with { Offset = offset, Count = count };
        return CheckAsync(file, offset, count);
    }

    private async ValueTask WriteAsync(ModelledFile file)
    {
        var offset = _dice.OneIn(3)
            ? _dice.Below(_shape.MostPages) * _page
            : (int)_dice.Below(Math.Max(1, Math.Min(_longest, file.Length + (3 * _page))));
        var count = _dice.Below(4) switch
        {
            0 => _dice.From(1, 3) * _page,
            1 => _dice.From(1, 3 * _page),
            _ => _dice.From(1, 100),
        };
        var bytes = Fill(offset, Math.Min(count, _longest - offset));
        _doing = _doing with { File = file, Offset = offset, Count = bytes.Length };
        if (bytes.IsEmpty)
        {
            return;
        }

        file.Changes(offset, offset + bytes.Length);
        if (_dice.OneIn(2))
        {
            HandleOf(file).Write(offset, bytes.Span);
        }
        else
        {
            await HandleOf(file).WriteAsync(offset, bytes).ConfigureAwait(false);
        }

        file.Content.Write(offset, bytes.Span);
        await CheckAsync(file, Math.Max(0, offset - 10), bytes.Length + 20).ConfigureAwait(false);
    }

    private async ValueTask WriteAroundAsync(ModelledFile file)
    {
        if (file.Length == 0)
        {
            return;
        }

        var offset = _dice.Below(((file.Length - 1) / _page) + 1) * _page;
        var bytes = Fill(offset, (int)Math.Min(_dice.From(1, 4) * _page, file.Length - offset));
        _doing = _doing with { Offset = offset, Count = bytes.Length };
        file.Changes(offset, offset + bytes.Length);
        await HandleOf(file).WriteAroundAsync(offset, bytes).ConfigureAwait(false);
        file.Content.Write(offset, bytes.Span);
        RequireDurable(file, offset, bytes.Length, "was written around");
        await CheckAsync(file, Math.Max(0, offset - _page), bytes.Length + (2 * _page)).ConfigureAwait(false);
    }

    private async ValueTask SetLengthAsync(ModelledFile file, long length)
    {
        _doing = _doing with { Offset = length };
        file.Changes(Math.Min(length, file.Length), long.MaxValue);
        if (_dice.OneIn(2))
        {
            HandleOf(file).SetLength(length);
        }
        else
        {
            await HandleOf(file).SetLengthAsync(length).ConfigureAwait(false);
        }

        file.Content.SetLength(length);
        Require(HandleOf(file).Length == length, $"the length is {HandleOf(file).Length} when it was set to {length}");
        await CheckAsync(file, Math.Max(0, length - (3 * _page)), 4 * _page).ConfigureAwait(false);
    }

    private async ValueTask ZeroAsync(ModelledFile file, bool grows)
    {
        long offset = _dice.Below(file.Length + 1);
        long length = _dice.Below((_dice.OneIn(8) ? _longest : 6 * _page) + 1);
        if (_dice.OneIn(3))
        {
            (offset, length) = (offset / _page * _page, length / _page * _page);
        }

        length = grows ? Math.Min(length, _longest - offset) : length;
        _doing = _doing with { Offset = offset, Count = length };
        file.Changes(offset, offset + length);
        var (handle, awaits) = (HandleOf(file), _dice.OneIn(2));
        if (grows)
        {
            if (awaits)
            {
                await handle.ZeroRangeAsync(offset, length).ConfigureAwait(false);
            }
            else
            {
                handle.ZeroRange(offset, length);
            }

            file.Content.SetLength(length == 0 ? file.Length : Math.Max(file.Length, offset + length));
        }
        else if (awaits)
        {
            await handle.PunchHoleAsync(offset, length).ConfigureAwait(false);
        }
        else
        {
            handle.PunchHole(offset, length);
        }

        file.Content.Punch(offset, length);
        await CheckAsync(file, Math.Max(0, offset - _page), (int)Math.Min(length, _longest) + (2 * _page)).ConfigureAwait(false);
    }

    private async ValueTask PrefetchAsync(ModelledFile file)
    {
        var (offset, length) = (_dice.Below(file.Length + 1), _dice.Below(10 * _page));
        await HandleOf(file).PrefetchAsync(offset, length).ConfigureAwait(false);
        await CheckAsync(file, offset, length).ConfigureAwait(false);
    }

    /// <summary>Bytes for a place of a file, of which each word names this write and its place in the page.</summary>
    private ReadOnlyMemory<byte> Fill(long offset, int count)
    {
        if (count <= 0)
        {
            return default;
        }

        _lastWrite++;
        var bytes = _written.AsSpan(0, count);
        for (var start = (int)(offset % _page); !bytes.IsEmpty; start = 0)
        {
            var part = Math.Min(bytes.Length, _page - start);
            Word.Fill(bytes[..part], _lastWrite, start);
            bytes = bytes[part..];
        }

        return _written.AsMemory(0, count);
    }
}
