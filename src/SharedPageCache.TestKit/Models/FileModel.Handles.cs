namespace SharedPageCache.TestKit.Models;

/// <content>Files that are made, cloned, closed, opened again and deleted; branches.</content>
public sealed partial class FileModel
{
    /// <summary>Files that are closed and may be opened again.</summary>
    private const int MostClosed = 3;

    private void Create()
    {
        var length = _dice.OneIn(4) ? 0 : _dice.Below(_longest + 1);
        var file = new ModelledFile(++_lastNumber, Open(_volume.CreateFile(length), length, _lastNumber), new ModelFile(new byte[length]));
        _doing = _doing with { File = file };
        _files.Add(file);
    }

    private ValueTask CreateAsync()
    {
        Create();
        return CheckAsync(_files[^1], 0, _page);
    }

    private MappedFile Open(IExtentMap extents, long length, int number, bool isSealed = false) =>
        Volume.OpenFile(extents, length, new FileOpenOptions { Id = FileId.FromNumber((ulong)number), IsSealed = isSealed });

    private async ValueTask CloneAsync(ModelledFile file, bool isSealed = false)
    {
        var options = new FileOpenOptions { Id = FileId.FromNumber((ulong)++_lastNumber), IsSealed = isSealed };
        var handle = HandleOf(file);
        var clone = file.CloneAs(_lastNumber, _dice.OneIn(2) ? handle.Clone(options) : await handle.CloneAsync(options).ConfigureAwait(false));
        if (isSealed)
        {
            clone.Seal();
        }

        _doing = _doing with { Other = clone };
        _volume.NoteClone(clone.Extents);
        _files.Add(clone);
        await CheckAsync(clone, _dice.Below(clone.Length + 1), 2 * _page).ConfigureAwait(false);
    }

    /// <summary>One handle more, or one less.</summary>
    private ValueTask HandleAsync(ModelledFile file)
    {
        if (file.Handles.Count > 1)
        {
            var handle = HandleOf(file);
            handle.Dispose();
            file.Handles.Remove(handle);
        }
        else
        {
            // It is open: it stays sealed, whatever the new handle says.
            file.Handles.Add(Open(file.Extents, file.Length, file.Number, file.IsSealed && _dice.OneIn(2)));
        }

        return CheckAsync(file, _dice.Below(file.Length + 1), 2 * _page);
    }

    private async ValueTask CloseAsync(ModelledFile file)
    {
        await CloseHandlesAsync(file, _dice.OneIn(2)).ConfigureAwait(false);
        _files.Remove(file);
        _closed.Add(file);
        if (_closed.Count > MostClosed)
        {
            // Nothing of it may be dirty when the engine frees it.
            await FlushVolumeAsync().ConfigureAwait(false);
            _volume.Forget(_closed[0].Extents);
            _closed.RemoveAt(0);
        }
    }

    private async ValueTask ReopenAsync(ModelledFile file)
    {
        if (_closed.Count > 0 && _files.Count < _shape.MostFiles && _dice.OneIn(2))
        {
            file = _closed[_dice.Below(_closed.Count)];
            _closed.Remove(file);
            _files.Add(file);
        }
        else
        {
            await CloseHandlesAsync(file, _dice.OneIn(2)).ConfigureAwait(false);
            if (_dice.OneIn(3))
            {
                await Volume.FlushAsync().ConfigureAwait(false);
            }
        }

        _doing = _doing with { File = file };
        file.OpenedAnew(Open(file.Extents, file.Length, file.Number, file.IsSealed));
        for (; file.OwedInvalidations > 0; file.OwedInvalidations--)
        {
            file.Handles[0].InvalidateExtents(0, 0);
        }

        await CheckAsync(file, _dice.Below(file.Length + 1), 3 * _page).ConfigureAwait(false);
    }

    private async ValueTask CloseHandlesAsync(ModelledFile file, bool flushes)
    {
        for (var i = 1; i < file.Handles.Count; i++)
        {
            file.Handles[i].Dispose();
        }

        if (flushes)
        {
            await file.Handles[0].DisposeAsync().ConfigureAwait(false);
            RequireDurable(file);
        }
        else
        {
            file.Handles[0].Dispose();
        }
    }

    private ValueTask DeleteAsync(ModelledFile file)
    {
        HandleOf(file).Delete();
        file.Handles.ForEach(static handle => handle.Dispose());
        _files.Remove(file);
        _volume.Forget(file.Extents);
        return ValueTask.CompletedTask;
    }

    private ValueTask InvalidateAsync(ModelledFile file)
    {
        var (offset, length) = _dice.OneIn(2) ? (0, 0) : (_dice.Below(file.Length + 1), (long)_dice.Below(_longest));
        file.Changes(long.MaxValue, 0);
        HandleOf(file).InvalidateExtents(offset, length);
        return CheckAsync(file, _dice.Below(file.Length + 1), 2 * _page);
    }

    /// <summary>A branch goes into a file that surely is what it began with; if it goes into another one, that must be so.</summary>
    private async ValueTask MergeAsync(ModelledFile target)
    {
        // Most pairs are no relatives, and a conflict teaches little.
        var branch = _files.Find(file => file != target && target.SurelyIsWhatBeganWith(file));
        branch = branch is null || _dice.OneIn(8) ? Any() : branch;
        if (branch == target || (!target.SurelyIsWhatBeganWith(branch) && !_dice.OneIn(4)))
        {
            return;
        }

        _doing = _doing with { Other = branch };
        try
        {
            if (_dice.OneIn(2))
            {
                HandleOf(branch).MergeInto(HandleOf(target));
            }
            else
            {
                await HandleOf(branch).MergeIntoAsync(HandleOf(target)).ConfigureAwait(false);
            }
        }
        catch (MergeConflictException)
        {
            Refusals++;
            Require(!target.SurelyIsWhatBeganWith(branch), $"the merge of file {branch.Number} is refused, and nothing has changed since it began");
            await CheckAsync(target, 0, _longest + 1).ConfigureAwait(false);
            return;
        }

        Require(target.MayBeWhatBeganWith(branch), $"file {branch.Number} is merged into a file that has changed");
        target.TakeOver(branch);
        await CheckAsync(target, 0, _longest + 1).ConfigureAwait(false);
    }

    /// <summary>Each page in which the files differ is listed.</summary>
    private async ValueTask DiffAsync(ModelledFile one, ModelledFile other)
    {
        _doing = _doing with { Other = other };
        var ranges = _dice.OneIn(2) ? HandleOf(one).DiffPages(HandleOf(other)) : await HandleOf(one).DiffPagesAsync(HandleOf(other)).ConfigureAwait(false);
        var (next, end) = (0, Math.Max(one.Length, other.Length));
        for (var at = 0L; at < end; at += _page)
        {
            while (next < ranges.Count && ranges[next].End <= at)
            {
                next++;
            }

            if (next == ranges.Count || ranges[next].Offset > at)
            {
                Require(
                    one.Content.Part(at, _page).SequenceEqual(other.Content.Part(at, _page)),
                    $"page {at / _page} differs from that of file {other.Number}, and is not listed");
            }
        }
    }
}
