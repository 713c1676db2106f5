using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <content>Clones of the file, and the names that they get.</content>
/// <remarks>
/// <para>
/// <b>Where a clone lies.</b> Right after the system call it shows the blocks that this file shows. So if all that is known of this file's extents is
/// settled (no names, nothing queued) the clone takes over the table, and the file system is not asked: the content that the table stands for is the
/// clone's too, and if blocks were moved since it was made it is as old for the clone as for this file, and found out in the same way. It counts for
/// the blocks as this file does, as long as this file counts for just these.
/// </para>
/// <para>
/// <b>A passing name.</b> A clone that is named later has no name at first, which is the quickest file to make, and one that no crash leaves behind. But a file system that logs
/// single files (btrfs) makes nothing durable of a file that has no name, and a name durable without the content if it comes after. So the file gets a passing name,
/// and is flushed under that, before it gets the name that it is meant for. Many are flushed at once, with all that their file system has: each alone is a flush of the device.
/// </para>
/// </remarks>
internal sealed partial class WritableReflinkFile
{
    private const int ManyClones = 16;

    private static readonly AsyncLocal<CloneTarget?> NextClone = new();

    /// <summary>The name that the file has for the time being, if it is not its path, or will have. Under <c>_io</c>.</summary>
    private string? _passingName;

    /// <summary>Whether the file has no name yet but is to have the passing one. It gets one under <c>_io</c>; what is flushed after it was seen to have one is reached.</summary>
    private volatile bool _isNameless;

    /// <summary>Whether nothing was done to the file since it was cloned. Set under <c>_shape</c>.</summary>
    private volatile bool _isUntouchedClone;

    /// <summary>Whether the content that a clone began with is durable.</summary>
    private volatile bool _isDurable;

    /// <summary>A clone that has its origin's table as its own, and nothing to be settled.</summary>
    private bool IsUntouchedClone => _isUntouchedClone;

    /// <summary>Whether the file is a clone that is to be named later, and what it began with is not durable.</summary>
    public bool OwesDurability => Volatile.Read(ref _passingName) is not null && !_isDurable && !IsDeleted;

    /// <summary>The permissions as they were last seen.</summary>
    public UnixFileMode Mode { get; private set; }

    /// <summary>The next clone that this flow of control makes of a file gets this descriptor, and is told its names.</summary>
    public static void UseForClone(CloneTarget? target) => NextClone.Value = target;

    /// <summary>
    /// Clones the file (FICLONE), if it is to be named later and all of it is on the disk. That it need not be asked for its extents is said above. A look after the
    /// call finds what somebody else did before it too.
    /// </summary>
    public IExtentMap? TryClone()
    {
        if (NextClone.Value is not { PassingName: not null } target)
        {
            return null;
        }

        lock (_io)
        {
            ThrowIfRefused();
            ExtentTable table;
            lock (_shape)
            {
                table = Table;
                if (_queue.Count > 0 || table.HasStaged || IsDeleted || IsMoved)
                {
                    return null;
                }
            }

            if (Volatile.Read(ref _owesSync) != 0 && !_isUntouchedClone)
            {
                return null;
            }

            WritableFile.Clone(Handle, target.Origin.Handle, Path);
            GiveMode(target.Origin, CheckStamp());
            var stamp = FileStatus.Of(target.Origin.Handle, target.Origin.Path).Stamp;
            var clone = stamp.Size == table.Length ? Volume.AdmitTwin(target.Origin, new FileSnapshot(stamp, table), this) : null;
            return AsClone(clone ?? Admit(target.Origin, hasName: true), target, isUntouched: clone is not null);
        }
    }

    /// <summary>
    /// Clones the file (FICLONE). Without a target the clone has no name; it is open until the store is disposed, or until the handle that it
    /// was made for is.
    /// </summary>
    public async ValueTask<IExtentMap> CloneAsync(CancellationToken cancellationToken)
    {
        var target = NextClone.Value;
        return await Task.Run(
            () =>
            {
                var origin = target?.Origin ?? OriginFile.CreateUnnamed(Path);
                try
                {
                    WritableFile.Clone(Handle, origin.Handle, Path);
                    GiveMode(origin, FileStatus.Of(Handle, Path));
                    return AsClone(Admit(origin, hasName: target is not null), target, isUntouched: false);
                }
                catch
                {
                    origin.Handle.Dispose();
                    throw;
                }
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Gives a clone that has no name its name, durably. A change of our own: once the name is taken away again nothing else would explain why the file's change time
    /// has moved.
    /// </summary>
    /// <exception cref="IOException">The name is taken, or the file system failed.</exception>
    public void TakeFirstName()
    {
        if (!TryBeginOwnChange())
        {
            return;
        }

        try
        {
            // The file before its folder: see above.
            WritableFile.Link(Handle, Path);
            RandomAccess.FlushToDisk(Handle);
            WritableFile.FlushFolder(Path);
        }
        finally
        {
            EndOwnChange();
        }
    }

    /// <summary>Makes the content durable that clones with passing names began with, which are of one file system.</summary>
    /// <exception cref="IOException">A passing name is taken, or the file system failed; it can be tried again.</exception>
    /// <exception cref="ObjectDisposedException">One of them is closed.</exception>
    public static void MakeDurable(IReadOnlyList<WritableReflinkFile> clones)
    {
        if (clones.Count >= ManyClones)
        {
            foreach (var clone in clones)
            {
                clone.TakePassingName();
            }

            // One that is being deleted may have none.
            WritableReflinkFile[] named = [.. clones.Where(static clone => !clone._isNameless)];
            if (named is [var first, ..])
            {
                WritableFile.FlushFileSystem(first.Handle, first.Path);
                first.Volume.NoteCloneFlush();
                Array.ForEach(named, static clone => clone.NoteDurable());
            }
        }

        foreach (var clone in clones)
        {
            clone.MakeDurable();
        }
    }

    /// <summary>Gives a clone its passing name, if it has none yet, so that a flush reaches it.</summary>
    /// <exception cref="IOException">The name is taken, or the file system failed; it can be tried again.</exception>
    public void TakePassingName()
    {
        if (!_isNameless)
        {
            return;
        }

        lock (_io)
        {
            if (!_isNameless || !TryBeginOwnChange())
            {
                return;
            }

            try
            {
                WritableFile.Link(Handle, _passingName!);
                _isNameless = false;
            }
            finally
            {
                EndOwnChange();
            }
        }
    }

    /// <summary>Makes the content durable that a clone with a passing name began with.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public void MakeDurable()
    {
        lock (_io)
        {
            if (_passingName is not null && !_isDurable && !IsDeleted)
            {
                TakePassingName();
                RandomAccess.FlushToDisk(Handle);
                Volume.NoteCloneFlush();
                NoteDurable();
            }
        }
    }

    /// <summary>Gives a clone with a passing name the name that it is meant for, once its content is durable. It is durable with its folder.</summary>
    /// <exception cref="IOException">The name is taken, or the file system failed; it can be tried again.</exception>
    public void TakeName()
    {
        lock (_io)
        {
            MakeDurable();

            // A name is a change of the file's times.
            if (_passingName is null || !TryBeginOwnChange())
            {
                return;
            }

            try
            {
                WritableFile.Rename(_passingName, Path);
                _passingName = null;
            }
            finally
            {
                EndOwnChange();
            }
        }
    }

    /// <summary>Whatever is written from here on, what the file began with is durable.</summary>
    private void NoteDurable() => _isDurable = true;

    private WritableReflinkFile Admit(OriginFile origin, bool hasName) => Volume.AdmitClone(
        origin, FileSnapshot.Take(origin.Handle, origin.Path, Volume.BlockSize), hasName ? origin.Key.Id : FileId.None, Domain);

    /// <summary>The clone gets the permissions that the file has.</summary>
    private void GiveMode(OriginFile clone, FileStatus status)
    {
        Mode = status.Mode;
        if (clone.Mode != Mode)
        {
            WritableFile.SetMode(clone.Handle, Mode);
        }
    }

    /// <summary>What a file is that was just cloned: nobody else has it yet.</summary>
    private WritableReflinkFile AsClone(WritableReflinkFile clone, CloneTarget? target, bool isUntouched)
    {
        clone._passingName = target?.PassingName;
        clone._isNameless = clone._passingName is not null;
        clone._isUntouchedClone = isUntouched;
        if (!isUntouched)
        {
            Volatile.Write(ref clone._owesSync, 1);
            _placement.NoteUnsettled(clone);
        }

        if (target is not null)
        {
            target.Clone = clone;
        }

        return clone;
    }

    /// <summary>Takes the file's name away, unless somebody has given it to another file.</summary>
    private void Unlink()
    {
        if (_isNameless)
        {
            return;
        }

        var path = _passingName ?? Path;
        try
        {
            using (var named = DirectFile.Open(path))
            {
                if (FileStatus.Of(named, path).Key != Key)
                {
                    return;
                }
            }

            File.Delete(path);
            if (_passingName is null)
            {
                WritableFile.FlushFolder(path);
            }
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            // Somebody has done it.
        }
    }
}
