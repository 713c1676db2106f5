namespace SharedPageCache.Stress.Storms;

/// <content>What a read must show: noted before, compared afterwards.</content>
internal sealed partial class StormWorker
{
    /// <summary>Notes what the units of a range must show at least.</summary>
    private void Capture(OpenHandle handle, long offset, int count)
    {
        var (inode, layout) = (handle.Inode, handle.Inode.Layout);
        var first = FirstUnit(layout, inode, offset);
        var last = Math.Min(layout.Blocks.Length, (offset + count - layout.Base) / inode.Engine.BlockSize + 1);
        var units = (int)Math.Max(0, last - first);
        _firstSince = first;
        if (_since.Length < units)
        {
            _since = new Moment[units * 2];
        }

        for (var i = 0; i < units; i++)
        {
            _since[i] = Volatile.Read(ref inode.Done[first + i]);
        }
    }

    private static long FirstUnit(Layout layout, Inode inode, long offset) =>
        Math.Max(0, (offset - layout.Base) / inode.Engine.BlockSize);

    /// <summary>Checks every word of bytes that were read after <see cref="Capture"/>, from any offset of its range.</summary>
    private void Check(OpenHandle handle, long offset, ReadOnlySpan<byte> bytes)
    {
        var (inode, layout) = (handle.Inode, handle.Inode.Layout);
        var size = inode.Engine.BlockSize;
        WordsChecked += bytes.Length / 8;
        while (!bytes.IsEmpty)
        {
            var at = offset - layout.Base;
            var part = (int)Math.Min(bytes.Length, PageSize - offset % PageSize);
            if (at < 0)
            {
                part = (int)Math.Min(part, -at);
                CheckZero(handle, offset, bytes[..part]);
            }
            else if (at / size is var unit && unit >= layout.Blocks.Length)
            {
                CheckZero(handle, offset, bytes[..part]);
            }
            else
            {
                part = (int)Math.Min(part, size - at % size);
                CheckUnit(handle, offset, (int)(at % size), bytes[..part], _since[unit - _firstSince]);
            }

            offset += part;
            bytes = bytes[part..];
        }
    }

    private void CheckZero(OpenHandle handle, long offset, ReadOnlySpan<byte> bytes)
    {
        if (!Word.Matches(bytes, Word.Zero, 0))
        {
            throw new StormFailure($"A10: a hole at {offset} of {handle.Inode} reads {Explain(bytes)}");
        }
    }

    private void CheckUnit(OpenHandle handle, long offset, int inUnit, ReadOnlySpan<byte> bytes, Moment since)
    {
        for (var moment = since; moment is not null; moment = moment.Next)
        {
            if (Word.Matches(bytes, moment.Serial, inUnit))
            {
                return;
            }
        }

        // A file that was deleted while it was read has no content any more, and its history is not kept.
        if (handle.Inode.IsDeleted)
        {
            return;
        }

        var allowed = new List<string>();
        for (var moment = since; moment is not null; moment = moment.Next)
        {
            allowed.Add(_storm.Serials.Explain(moment.Serial));
        }

        throw new StormFailure(
            $"I2, I3, I4: {_doing} at {offset} of {handle.Inode} (byte {inUnit} of its unit, {bytes.Length} bytes, closing {handle.IsClosing}) gives {Explain(bytes)}; allowed: {string.Join(", then ", allowed)}");
    }

    private string Explain(ReadOnlySpan<byte> bytes)
    {
        var words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(bytes);
        return words.IsEmpty
            ? Convert.ToHexString(bytes)
            : $"[{Word.Explain(words[0])} … {Word.Explain(words[^1])}], that is {_storm.Serials.Explain(Word.SerialOf(words[0]))}";
    }

    private void CheckCount(OpenHandle handle, long offset, int asked, int got)
    {
        var right = Math.Max(0, Math.Min(asked, handle.File.Length - offset));
        if (got != right)
        {
            throw new StormFailure($"{_doing} of {asked} bytes at {offset} of {handle.File.Length} gives {got} bytes instead of {right}.");
        }
    }
}
