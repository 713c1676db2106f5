namespace SharedPageCache.Tests.Writing;

/// <summary>The operations of <see cref="WriteModel"/> in which two files take part, or two ranges of one.</summary>
/// <param name="random">The history's random numbers.</param>
/// <param name="pageSize">The page size.</param>
/// <param name="longest">The length that no file exceeds.</param>
/// <param name="require">What is expected, and whether it is so.</param>
public sealed class RangeModel(Random random, int pageSize, int longest, Action<string, bool> require)
{
    public async Task StepAsync(WriteModel.Pair source, WriteModel.Pair file)
    {
        var (from, to, count) = Choose(source, file);
        if (random.Next(4) == 0)
        {
            await DedupeAsync(source, file, from, to, count);
        }
        else
        {
            await CloneAsync(source, file, from, to, count);
        }
    }

    private (int From, int To, int Count) Choose(WriteModel.Pair source, WriteModel.Pair file)
    {
        var from = random.Next(source.Bytes.Length + pageSize);
        var to = random.Next(Math.Min(longest, file.Bytes.Length + (3 * pageSize)) + 1);
        var count = random.Next(3) == 0 ? random.Next(longest + 1) : random.Next(6 * pageSize);
        switch (random.Next(4))
        {
            case 0:
                (from, to) = (from / pageSize * pageSize, to / pageSize * pageSize);
                break;
            case 1:
                to = (to / pageSize * pageSize) + (from % pageSize);
                break;
            case 2:
                // To the very ends.
                (from, count) = (from / pageSize * pageSize, int.MaxValue);
                to = random.Next(2) == 0 ? to / pageSize * pageSize : file.Bytes.Length;
                break;
        }

        var most = Math.Max(0, longest - to);
        return (from, to, count == int.MaxValue && source.Bytes.Length - from <= most ? count : Math.Min(count, most));
    }

    private async Task CloneAsync(WriteModel.Pair source, WriteModel.Pair file, int from, int to, int count)
    {
        var what = $"range clone of {count} bytes from {from} of {source.Bytes.Length} to {to} of {file.Bytes.Length}{(source == file ? ", in one file" : "")}";
        var length = Math.Clamp(source.Bytes.Length - from, 0, count);
        if (source == file && length > 0 && Math.Abs(from - to) < length)
        {
            await Assert.ThrowsAsync<ArgumentException>(async () => await file.File.CloneRangeAsync(source.File, from, to, count));
            return;
        }

        if ((from - to) % pageSize != 0 && length > 0 && PagesOf(to, length) > Math.Max(2, file.File.MaxAtomicWrite / pageSize))
        {
            await Assert.ThrowsAsync<CacheCapacityException>(async () => await file.File.CloneRangeAsync(source.File, from, to, count));
            return;
        }

        file.Changes();
        var done = random.Next(2) == 0
            ? file.File.CloneRange(source.File, from, to, count) : await file.File.CloneRangeAsync(source.File, from, to, count);
        require($"{what}: {done} bytes, expected {length}", done == length);
        if (length > 0)
        {
            file.Resize(Math.Max(file.Bytes.Length, to + length));
            source.Bytes.AsSpan(from, length).ToArray().CopyTo(file.Bytes, to);
        }

        RequireSame(file, what);
        RequireSame(source, what);
    }

    private async Task DedupeAsync(WriteModel.Pair source, WriteModel.Pair file, int from, int to, int count)
    {
        var length = Math.Max(0, Math.Min(count, Math.Min(source.Bytes.Length - from, file.Bytes.Length - to)));
        var what = $"dedupe of {count} bytes from {from} of {source.Bytes.Length} to {to} of {file.Bytes.Length}";
        if (length == 0 || (source == file && Math.Abs(from - to) < length))
        {
            return;
        }

        file.Changes();
        if (random.Next(2) == 0)
        {
            length = Math.Min(length, 8 * pageSize);
            var equal = source.Bytes.AsSpan(from, length).ToArray();
            file.File.Write(to, equal);
            equal.CopyTo(file.Bytes, to);
        }

        var shared = random.Next(2) == 0
            ? file.File.Dedupe(source.File, from, to, length) : await file.File.DedupeAsync(source.File, from, to, length);
        var isEqual = source.Bytes.AsSpan(from, length).SequenceEqual(file.Bytes.AsSpan(to, length));
        var expected = (from - to) % pageSize == 0 ? SharedBytes(to, length, file.Bytes.Length) : 0;
        require($"{what}: {shared} bytes are shared, expected {(isEqual ? "" : "at most ")}{expected}", isEqual ? shared == expected : shared <= expected);
        RequireSame(file, what);
        RequireSame(source, what);
    }

    /// <summary>The bytes of whole pages, and of the page in which the file ends.</summary>
    private int SharedBytes(int offset, int length, int fileLength)
    {
        var (bytes, end) = (0, offset + length);
        for (var page = (offset + pageSize - 1) / pageSize * pageSize; page < end; page += pageSize)
        {
            bytes += page + pageSize <= end ? pageSize : end == fileLength ? end - page : 0;
        }

        return bytes;
    }

    private int PagesOf(int offset, int length) => ((offset + length - 1) / pageSize) - (offset / pageSize) + 1;

    private void RequireSame(WriteModel.Pair pair, string what)
    {
        var bytes = new byte[pair.Bytes.Length + 1];
        var read = pair.File.Read(0, bytes);
        require($"{what}: {read} bytes are read of {pair.Bytes.Length}", read == pair.Bytes.Length);
        var wrong = bytes.AsSpan(0, read).CommonPrefixLength(pair.Bytes);
        require($"{what}: wrong at {wrong} (page {wrong / pageSize}) of {pair.Bytes.Length}", wrong == read);
    }
}
