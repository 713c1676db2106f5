using SharedPageCache.TestKit.Words;

namespace SharedPageCache.TestKit.Models;

/// <content>What the device holds: flushes, evictions, and what the engine does with its blocks.</content>
public sealed partial class FileModel
{
    /// <summary>Less than <see cref="AllIsCompared"/>.</summary>
    private const int Sample = 8 << 10;

    private const long FillerWrite = (1L << 40) - 1;

    private async ValueTask FlushRangeAsync(ModelledFile file)
    {
        var (offset, length) = (_dice.Below(file.Length + 1), (long)_dice.Below(10 * _page));
        _doing = _doing with { Offset = offset, Count = length };
        await HandleOf(file).FlushAsync(offset, length).ConfigureAwait(false);
        RequireDurable(file, offset, Math.Min(length, file.Length - offset), "was flushed");
    }

    private async ValueTask FlushFileAsync(ModelledFile file)
    {
        await HandleOf(file).FlushAsync().ConfigureAwait(false);
        RequireDurable(file);
    }

    /// <summary>A flush, if what a step may write has no room.</summary>
    private ValueTask MakeRoomAsync() =>
        _volume.Cache.GetStatistics().DirtyBytes > (long)(_shape.MostDirty - Math.Min(4, _shape.MostDirty)) * _page ? Volume.FlushAsync() : default;

    private async ValueTask FlushVolumeAsync()
    {
        if (_dice.OneIn(3))
        {
            await _volume.Cache.FlushAsync().ConfigureAwait(false);
        }
        else
        {
            await Volume.FlushAsync().ConfigureAwait(false);
        }

        _files.ForEach(RequireDurable);
        _closed.ForEach(RequireDurable);
    }

    /// <summary>A file that was flushed would be what it is after a crash, too.</summary>
    private void RequireDurable(ModelledFile file)
    {
        var length = _volume.DurableLengthOf(file.Extents);
        Require(length == file.Length, $"{length} bytes of file {file.Number} are durable, and not {file.Length}");
        if (length <= AllIsCompared)
        {
            RequireDurable(file, 0, length, "was flushed");
        }
        else
        {
            var from = Math.Min(file.ChangedFrom, length);
            RequireDurable(file, from, Math.Min(file.ChangedTo, length) - from, "was flushed");
            from = _dice.Below(length - Sample);
            RequireDurable(file, from, Sample, "was flushed before");
        }

        file.IsDurable();
    }

    private void RequireDurable(ModelledFile file, long offset, long count, string what)
    {
        if (count <= 0)
        {
            return;
        }

        var length = _volume.DurableLengthOf(file.Extents);
        Require(offset + count <= length, $"{length} bytes of file {file.Number} are durable, and {count} at {offset} were flushed");
        var durable = _read.AsSpan(0, (int)count);
        _volume.ReadDurable(file.Extents, offset, durable);
        Compare(file, offset, count, durable, $"is durable, and {what}");
    }

    /// <summary>A file that fills the cache, so that everything else has to leave it.</summary>
    private MappedFile OpenFiller()
    {
        var length = _shape.Frames * _page;
        var filler = Volume.OpenFile(_volume.CreateFile(length), length);
        for (var offset = 0; offset < length; offset += _page)
        {
            Word.Fill(_written.AsSpan(0, _page), FillerWrite, 0);
            filler.WriteAroundAsync(offset, _written.AsMemory(0, _page)).AsTask().GetAwaiter().GetResult();
        }

        return filler;
    }

    private ValueTask EvictAsync()
    {
        // Page by page: a longer read would have its loads on other threads, and wait for them.
        var bytes = _read.AsSpan(0, _page);
        for (var page = 0; page < _shape.Frames; page++)
        {
            var read = _filler.Read((long)page * _page, bytes);
            Require(read == _page && Word.Matches(bytes, FillerWrite, 0), $"page {page} of the file that fills the cache is wrong");
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>To forget blocks that are as they were is allowed, and changes nothing.</summary>
    private ValueTask DiscardAsync()
    {
        var blocks = Volume.Device.Length / _page;
        var first = _dice.Below(blocks);
        var run = new BlockRun(first * _page, Math.Min(_dice.From(1, 8), blocks - first) * _page);
        _doing = _doing with { Offset = run.Offset, Count = run.Length };
        try
        {
            Volume.Discard(run);
        }
        catch (InvalidOperationException)
        {
            // A write-back that goes on in the background was given some of them.
            Refusals++;
        }

        return CheckAsync(Any(), 0, 2 * _page);
    }

    private ValueTask RelocateAsync()
    {
        _moved.Clear();
        if (!_volume.TryMove(_dice, _moved))
        {
            return ValueTask.CompletedTask;
        }

        foreach (var extents in _moved)
        {
            if (_files.Find(file => file.Extents == extents) is { } file)
            {
                file.Changes(long.MaxValue, 0);
                HandleOf(file).InvalidateExtents(0, 0);
            }
            else if (_closed.Find(file => file.Extents == extents) is { } closed)
            {
                closed.OwedInvalidations++;
            }
            else
            {
                _filler.InvalidateExtents(0, 0);
            }
        }

        return CheckAsync(Any(), 0, 4 * _page);
    }
}
