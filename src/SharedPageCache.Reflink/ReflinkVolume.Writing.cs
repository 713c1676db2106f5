namespace SharedPageCache.Reflink;

/// <content>Files that are written.</content>
internal sealed partial class ReflinkVolume
{
    private const int Attempts = 20;

    /// <summary>Takes one more opening of a file that is open for writing.</summary>
    /// <param name="origin">The file, just opened; its descriptor is closed if it was open already.</param>
    /// <param name="domain">The trust domain of the new handle.</param>
    /// <param name="writes">Whether it shall be written.</param>
    /// <returns>The file, with one opening more; null if it is not open for writing.</returns>
    /// <exception cref="ReflinkFileChangedException">It is, but it was changed by somebody else.</exception>
    /// <exception cref="InvalidOperationException">It is open for reading only, or in another domain.</exception>
    public ReflinkFile? Join(OriginFile origin, SecurityDomain domain, bool writes)
    {
        lock (_lock)
        {
            if (!_named.TryGetValue(origin.Key, out var known))
            {
                return null;
            }

            if (known is not WritableReflinkFile { IsDeleted: false })
            {
                return !writes ? null : throw new InvalidOperationException(
                    $"'{origin.Path}' is open for reading, or was deleted by a handle that is still there: dispose the handles first.");
            }

            if (known.IsChanged && !writes)
            {
                return null;
            }

            known.ThrowIfRefused();
            if (known.Domain != domain)
            {
                throw new InvalidOperationException($"'{origin.Path}' is open for writing in {known.Domain}, not in {domain}.");
            }

            known.Openings++;
            origin.Handle.Dispose();
            return known;
        }
    }

    /// <summary>Takes in a file that is going to be written.</summary>
    /// <returns>The file, with one opening; null if it changed since its snapshot, or if somebody else has opened it meanwhile.</returns>
    public WritableReflinkFile? AdmitForWriting(OriginFile origin, FileSnapshot snapshot, SecurityDomain domain)
    {
        lock (_lock)
        {
            return Native.FileStatus.Of(origin.Handle, origin.Path).Stamp != snapshot.Stamp || _named.ContainsKey(origin.Key)
                ? null
                : Enter(new WritableReflinkFile(this, Placement!, origin, snapshot, origin.Key.Id, domain, _check));
        }
    }

    /// <summary>Takes in a clone that was just made.</summary>
    public WritableReflinkFile AdmitClone(OriginFile origin, FileSnapshot snapshot, FileId id, SecurityDomain domain)
    {
        lock (_lock)
        {
            return Enter(new WritableReflinkFile(this, Placement!, origin, snapshot, id, domain, _check));
        }
    }

    /// <summary>Takes in a clone that was just made of a file, whose table is its own too.</summary>
    /// <returns>The clone; null if the file does not count for the blocks of the table any more, and the clone has to be asked where it lies.</returns>
    /// <remarks>
    /// Nobody is asked whether they vouch for the blocks: what is cached of them is the content of the file, and so the clone's. A witness that has
    /// gone is missed only by the next who comes from outside, and then all are asked who show them.
    /// </remarks>
    public WritableReflinkFile? AdmitTwin(OriginFile origin, FileSnapshot snapshot, WritableReflinkFile file)
    {
        lock (_lock)
        {
            var pieces = snapshot.Table.Pieces;
            if (!file.IsCurrent || file.Held != pieces)
            {
                return null;
            }

            var twin = new WritableReflinkFile(this, Placement!, origin, snapshot, origin.Key.Id, file.Domain, _check);
            if (file.Twins is null)
            {
                new Twins().Join(file);
            }

            file.Twins!.Join(twin);
            return Enter(twin, pieces);
        }
    }

    /// <summary>Opens a file in the cache: one more handle on what is open under its id, as long as it is at this moment.</summary>
    public MappedFile OpenMapping(ReflinkFile file)
    {
        var options = new FileOpenOptions { Id = file.Id, Name = file.Path, Domain = file.Domain };
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var mapped = Cached.OpenFile(file, file.Table.Length, options);
                if (mapped.Extents == file)
                {
                    return mapped;
                }

                mapped.Dispose();
            }
            catch (ArgumentException) when (attempt < Attempts)
            {
                // It has become longer meanwhile, or it is not the file that was open under the id before.
            }

            if (attempt == Attempts)
            {
                throw new IOException($"'{file}' is still being closed.");
            }

            // What was closed during a write-back stays known until that has ended: so its turn is waited for.
            WaitForWriteback();
        }
    }

    private void WaitForWriteback()
    {
        try
        {
            Cached.FlushAsync().AsTask().GetAwaiter().GetResult();
        }
        catch (CacheWritebackException)
        {
            // Another file's: told by its own flush.
        }
    }

    /// <summary>
    /// Another file that shows a name to its end, of a file that ends inside it. Names are shown by several files when a page was
    /// dirty in all of them; one of these may have been cut since.
    /// </summary>
    public (WritableReflinkFile File, long Offset)? FindWhole(WritableReflinkFile file, BlockRun run)
    {
        lock (_lock)
        {
            foreach (var other in _open)
            {
                if (other != file && other is WritableReflinkFile { IsCurrent: true } written && written.OffsetOfWhole(run) is { } offset)
                {
                    return (written, offset);
                }
            }
        }

        return null;
    }

    /// <summary>Stops counting a file for blocks that it does not show any more, before they can be given to others.</summary>
    public void LetGoOfUnshown(WritableReflinkFile file)
    {
        lock (_lock)
        {
            CountAlone(file);
            var shown = file.Table.Pieces;
            LetGo(file, VolumePiece.Subtract(file.Held, shown));
            file.Held = shown;
        }
    }

    /// <summary>Exchanges the extents of a file for an answer of the file system.</summary>
    /// <param name="file">The file.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="keepsStaged">Whether what was staged stays so; else cached pages follow to their places.</param>
    /// <returns>Whether anything but staged runs lies elsewhere than before.</returns>
    public bool Renew(WritableReflinkFile file, ExtentTable answer, bool keepsStaged)
    {
        lock (_lock)
        {
            file.ThrowIfRefused();
            CountAlone(file);
            var before = file.Held;
            var added = VolumePiece.Subtract(file.Renewed(answer, keepsStaged).Pieces, before);
            Hold(file, added);
            var (givenUp, hasMoved) = file.Exchange(answer, keepsStaged, Relocate);

            // The file may have been cut since it was counted for the answer.
            var shown = file.Table.Pieces;
            LetGo(file, VolumePiece.Subtract(before, shown));
            LetGo(file, VolumePiece.Subtract(added, shown));
            file.Held = shown;
            foreach (var run in givenUp)
            {
                Discard(new BlockRun(run.PhysicalOffset, run.Length));
            }

            return hasMoved;
        }
    }

    /// <summary>Closes what is left when the store goes.</summary>
    public void CloseAll()
    {
        ReflinkFile[] left;
        lock (_lock)
        {
            left = [.. _open];
            Array.ForEach(left, Close);
        }

        Array.ForEach(left, static file => file.CloseDescriptor());
        Spares.Clear();
    }

    /// <summary>
    /// The last handle of a written file has gone: it is closed when all that was written is on the disk. If that cannot be,
    /// it stays open, to be found by the next who opens it, and is tried again by every flush of the volume.
    /// </summary>
    private void Retire(WritableReflinkFile file)
    {
        if (!TryFinish(file))
        {
            return;
        }

        lock (_lock)
        {
            if (file.Openings > 0 || file.IsClosed)
            {
                return;
            }

            // The name comes free after the cache has forgotten the file.
            file.Keeper?.Dispose();
            Close(file);
        }

        file.CloseDescriptor();
    }

    private static bool TryFinish(WritableReflinkFile file)
    {
        if (file.IsChanged)
        {
            // The pages were written for another file than there is now; every flush has said so.
            file.GiveUp();
            return true;
        }

        // Twice: the first may only tell that an older write-back has failed.
        for (var attempt = 0; attempt < 2; attempt++)
        {
            try
            {
                if (file.IsDeleted)
                {
                    file.Settle();
                }
                else
                {
                    file.Keeper?.FlushAsync().AsTask().GetAwaiter().GetResult();
                }

                return true;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Told by the next flush.
            }
            catch (ObjectDisposedException)
            {
                return true;
            }
        }

        return file.IsDeleted;
    }

    private void Relocate(PlacedRun from, PlacedRun to)
    {
        try
        {
            Cached.Relocate(from.Blocks, to.Blocks, from.Generation, to.Generation);
        }
        catch (ObjectDisposedException)
        {
            // The cache is gone, with all that it held.
        }
    }
}
