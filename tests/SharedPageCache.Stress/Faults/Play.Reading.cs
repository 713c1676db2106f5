using System.Buffers;

namespace SharedPageCache.Stress.Faults;

/// <summary>Steps that read: what they give is what the file holds.</summary>
internal sealed partial class Play
{
    private PlayedFile? Find(string name) => _files.GetValueOrDefault(name);

    /// <summary>A range of a file: the two sizes behind the name, or all of it.</summary>
    private (int Offset, int Length) RangeOf(Step step, PlayedFile played)
    {
        if (step.Words.Length < 3)
        {
            return (0, played.Length);
        }

        var offset = Math.Min(step.Size(1, PageSize), played.Length);
        return (offset, Math.Min(step.Size(2, PageSize), played.Length - offset));
    }

    private async Task ReadAsync(Step step)
    {
        if (Find(step.File) is not { } played)
        {
            return;
        }

        var (offset, length) = RangeOf(step, played);
        var buffer = new byte[length + 3];
        var read = 0;
        if (await TryAsync(
            step, () => read = played.File.Read(offset, buffer),
            async token => read = await played.File.ReadAsync(offset, buffer, token)))
        {
            var count = Math.Min(buffer.Length, played.Length - offset);
            if (played.Coming is { } coming && read == count)
            {
                OldOrNew(played.Bytes.AsSpan(offset, count), coming.AsSpan(offset, count), buffer, $"'{step}'");
                return;
            }

            DemandEqual(played.Bytes.AsSpan(offset, count), buffer.AsSpan(0, read), $"'{step}'");
        }
    }

    /// <summary>Each page is of before or of after.</summary>
    private void OldOrNew(ReadOnlySpan<byte> old, ReadOnlySpan<byte> now, ReadOnlySpan<byte> read, string what)
    {
        for (var at = 0; at < old.Length; at += PageSize)
        {
            var length = Math.Min(PageSize, old.Length - at);
            if (!read.Slice(at, length).SequenceEqual(now.Slice(at, length)))
            {
                DemandEqual(old.Slice(at, length), read.Slice(at, length), what);
            }
        }
    }

    private void TryRead(Step step)
    {
        if (Find(step.File) is not { } played)
        {
            return;
        }

        var (offset, length) = RangeOf(step, played);
        var buffer = new byte[length];
        if (played.File.TryRead(offset, buffer, out var read))
        {
            DemandEqual(played.Bytes.AsSpan(offset, length), buffer.AsSpan(0, read), $"'{step}'");
        }
        else
        {
            Demand(buffer.AsSpan().IndexOfAnyExcept((byte)0) < 0, $"'{step}' gives nothing and leaves bytes");
        }
    }

    private async Task PrefetchAsync(Step step)
    {
        if (Find(step.File) is { } played)
        {
            var (offset, length) = RangeOf(step, played);
            Task Prefetch(CancellationToken token) => played.File.PrefetchAsync(offset, length, token).AsTask();
            await TryAsync(step, () => Prefetch(default).GetAwaiter().GetResult(), Prefetch);
        }
    }

    private async Task StreamAsync(Step step)
    {
        if (Find(step.File) is not { } played)
        {
            return;
        }

        using var stream = played.File.OpenStream();
        var bytes = new MemoryStream();
        if (await TryAsync(step, () => stream.CopyTo(bytes, PageSize + 11), token => stream.CopyToAsync(bytes, PageSize + 11, token)))
        {
            DemandEqual(played.Bytes, bytes.ToArray(), $"'{step}'");
        }
        else
        {
            DemandEqual(played.Bytes.AsSpan(0, (int)bytes.Length), bytes.ToArray(), $"'{step}', before it failed");
        }
    }

    private async Task PipeAsync(Step step)
    {
        if (Find(step.File) is not { } played)
        {
            return;
        }

        var reader = played.File.OpenPipeReader();
        var bytes = new List<byte>();
        async Task ReadAllAsync(CancellationToken token)
        {
            for (var isDone = false; !isDone;)
            {
                var result = await reader.ReadAsync(token);
                bytes.AddRange(result.Buffer.ToArray());
                reader.AdvanceTo(result.Buffer.End);
                isDone = result.IsCompleted;
            }
        }

        try
        {
            await TryAsync(step, () => ReadAllAsync(default).GetAwaiter().GetResult(), ReadAllAsync);
            DemandEqual(played.Bytes.AsSpan(0, bytes.Count), bytes.ToArray(), $"'{step}'");
        }
        finally
        {
            reader.Complete();
        }
    }

    /// <summary>What is not listed is equal.</summary>
    private async Task DiffAsync(Step step)
    {
        if (Find(step.File) is not { } one || Find(step.Words[1]) is not { } other)
        {
            return;
        }

        IReadOnlyList<FileRange> differences = [];
        if (!await TryAsync(
            step, () => differences = one.File.DiffPages(other.File),
            async token => differences = await one.File.DiffPagesAsync(other.File, token)))
        {
            return;
        }

        var length = Math.Max(one.Length, other.Length);
        var (left, right) = (one.Resized(length), other.Resized(length));
        for (var at = 0; at < length; at += PageSize)
        {
            var part = Math.Min(PageSize, length - at);
            Demand(
                left.AsSpan(at, part).SequenceEqual(right.AsSpan(at, part)) || differences.Any(range => range.Offset <= at && at < range.End),
                $"'{step}': page {at / PageSize} differs and is not listed");
        }
    }

    private void Find(Step step)
    {
        if (Find(step.File) is { } played && world.BlockOf(played.File, 0) is { } run)
        {
            // Windows that were never asked for are not known; what is answered is right.
            Demand(world.Volume.FindReferences(run).All(place => place.Blocks.Overlaps(run)), $"'{step}' names other blocks");
        }
    }
}
