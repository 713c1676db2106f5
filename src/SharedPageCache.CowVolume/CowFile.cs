using System.Buffers;
using System.Diagnostics;
using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow;

/// <summary>A file of a <see cref="CowVolume"/>: what the cache is given to open it, and what its hooks change.</summary>
/// <remarks>
/// <para>
/// Thread-safe. There is one object for each file. A file has a name, or is anonymous: clones are until
/// <see cref="CowVolume.Link"/> names them, and deleted files are from then on. An anonymous file is not written to disk; it
/// is gone when the volume is closed, and gives its blocks back when it is disposed. Disposing a named file only says that
/// nobody uses it any more.
/// </para>
/// <para>
/// While a file is open in a cache it is changed through <c>MappedFile</c>, which calls the members of
/// <see cref="IWritableExtentMap"/>; nobody else does.
/// </para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public sealed class CowFile : IWritableExtentMap, IDisposable
{
    private readonly VolumeState _volume;
    private string? _name;
    private long _length;
    private long _sequence;
    private bool _isReleased;

    internal CowFile(VolumeState volume, ulong number, string? name, long length, FileTree tree)
    {
        _volume = volume;
        Number = number;
        _name = name;
        _length = length;
        Tree = tree;
    }

    /// <summary>The file's identity on its volume, for <see cref="FileOpenOptions.Id"/>. Never used again.</summary>
    public FileId Id => FileId.FromNumber(Number);

    /// <summary>The file's name; null if it is anonymous.</summary>
    public string? Name => Volatile.Read(ref _name);

    /// <summary>The file's length in bytes.</summary>
    public long Length => Volatile.Read(ref _length);

    /// <inheritdoc/>
    /// <remarks>
    /// Counted up by one for each change, first of all, under the lock that extents are answered under: so the new extents
    /// are never seen under the old number, and blocks that a change gives up are discarded only long after it.
    /// </remarks>
    public long Sequence => Volatile.Read(ref _sequence);

    internal ulong Number { get; }

    /// <summary>Whether somebody got the file and has not disposed it. Under the volume's lock, as all below.</summary>
    internal bool IsOpen { get; set; }

    internal FileTree Tree { get; private set; }

    internal CowFile? Older { get; set; }

    internal CowFile? Newer { get; set; }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The range is negative or empty.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed, or the file was given up.</exception>
    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentNullException.ThrowIfNull(destination);
        var size = _volume.Trees.Shape.BlockSize;
        var end = Math.Min(offset > long.MaxValue - length ? long.MaxValue : offset + length, CowVolume.LongestFile);
        var extents = new List<Extent>();
        lock (_volume.Lock)
        {
            ThrowIfGone();
            _volume.Trees.Collect(Tree, offset / size, _volume.Trees.Shape.BlocksFor(end), extents);
        }

        // The writer is the caller's own code, which has no business under the lock.
        destination.Write([.. extents]);
        return ValueTask.CompletedTask;
    }

    /// <summary>Clones the file in constant time; the clone is anonymous until it is linked.</summary>
    /// <returns>The clone, of the same length and content.</returns>
    /// <exception cref="ObjectDisposedException">The volume is closed, or the file was given up.</exception>
    public CowFile Clone()
    {
        lock (_volume.Lock)
        {
            return CloneHere();
        }
    }

    /// <summary>Clones the file in constant time and names the clone.</summary>
    /// <param name="name">The clone's name.</param>
    /// <returns>The clone, of the same length and content.</returns>
    /// <exception cref="ArgumentException">The name cannot be one.</exception>
    /// <exception cref="IOException">A file has the name already.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed, or the file was given up.</exception>
    public CowFile Clone(string name)
    {
        FileName.Check(name);
        lock (_volume.Lock)
        {
            FileName.CheckFree(_volume, name);
            var clone = CloneHere();
            _volume.Bind(name, clone);
            return clone;
        }
    }

    IExtentMap ICloneableExtentMap.Clone() => Clone();

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative, or longer than a file can be.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed, or the file was given up.</exception>
    public void SetLength(long newLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(newLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(newLength, CowVolume.LongestFile);
        lock (_volume.Lock)
        {
            ThrowIfGone();
            Changing();
            if (newLength < _length)
            {
                Tree = _volume.Trees.Cut(Tree, _volume.Trees.Shape.BlocksFor(newLength));
            }

            Volatile.Write(ref _length, newLength);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The range is negative, unaligned or too long.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed, or the file was given up.</exception>
    public void PunchHole(long offset, long length)
    {
        var first = CheckRange(offset, length);
        lock (_volume.Lock)
        {
            ThrowIfGone();
            Changing();
            Tree = _volume.Trees.Punch(Tree, first, first + (length / _volume.Trees.Shape.BlockSize));
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Where a range lies alike in both trees whole nodes are shared; else the cost is in proportion to its blocks.
    /// </remarks>
    /// <exception cref="ArgumentException">The source is no file of this volume.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A range is negative, unaligned or too long, or the file would be shorter or too long.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed, or one of the files was given up.</exception>
    public void CloneRange(IExtentMap source, ReadOnlySpan<SharedRange> ranges, long newLength)
    {
        var from = FileOf(source);
        foreach (var range in ranges)
        {
            CheckRange(range.SourceOffset, range.Length);
            CheckRange(range.DestinationOffset, range.Length);
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(newLength, CowVolume.LongestFile);
        lock (_volume.Lock)
        {
            from.ThrowIfGone();
            ThrowIfGone();
            ArgumentOutOfRangeException.ThrowIfLessThan(newLength, _length);
            Changing();

            // The reference freezes the source while ranges are replaced, should it be this very file.
            var frozen = TreeEditor.Share(from.Tree);
            foreach (var range in ranges)
            {
                Share(frozen, range);
            }

            _volume.Trees.Release(frozen);
            Volatile.Write(ref _length, newLength);
        }
    }

    /// <summary>Shares one range; without a cache between.</summary>
    /// <param name="source">A file of the same volume.</param>
    /// <param name="sourceOffset">First byte in the source, block-aligned.</param>
    /// <param name="destinationOffset">First byte in this file, block-aligned.</param>
    /// <param name="length">Length in bytes, block-aligned.</param>
    /// <remarks>
    /// The ranges may overlap: this file then shows what the source showed before. The file grows if the range ends behind
    /// it, as far as the source reaches.
    /// </remarks>
    /// <exception cref="ArgumentException">The source is no file of this volume.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A range is negative, unaligned or too long.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed, or one of the files was given up.</exception>
    public void CloneRange(IExtentMap source, long sourceOffset, long destinationOffset, long length)
    {
        var from = FileOf(source);
        CheckRange(sourceOffset, length);
        CheckRange(destinationOffset, length);
        lock (_volume.Lock)
        {
            var covered = Math.Clamp(from._length - sourceOffset, 0, length);
            var newLength = Math.Max(_length, covered == 0 ? 0 : destinationOffset + covered);
            CloneRange(source, [new SharedRange(sourceOffset, destinationOffset, length)], newLength);
        }
    }

    /// <inheritdoc/>
    /// <remarks>The source's tree is shared, as by a clone; each range that is kept costs as a range clone does.</remarks>
    /// <exception cref="ArgumentException">The source is no file of this volume.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A range is negative, unaligned or too long.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed, or one of the files was given up.</exception>
    public void ReplaceWith(IExtentMap source, ReadOnlySpan<FileRange> kept)
    {
        if (source is not CowFile from || from._volume != _volume)
        {
            throw new ArgumentException("The source is no file of this volume.", nameof(source));
        }

        foreach (var range in kept)
        {
            CheckRange(range.Offset, range.Length);
        }

        lock (_volume.Lock)
        {
            from.ThrowIfGone();
            ThrowIfGone();
            if (from == this)
            {
                return;
            }

            Changing();
            var (trees, old) = (_volume.Trees, Tree);
            var size = trees.Shape.BlockSize;
            var fresh = TreeEditor.Share(from.Tree);
            foreach (var range in kept)
            {
                // Nothing is kept behind the new end: a page may reach farther than that.
                var end = Math.Min(range.End / size, trees.Shape.BlocksFor(from._length));
                if (range.Offset / size < end)
                {
                    fresh = trees.Replace(fresh, range.Offset / size, end, new TreeSource(trees, old, 0));
                }
            }

            Tree = fresh;
            trees.Release(old);
            Volatile.Write(ref _length, from._length);
        }
    }

    /// <summary>
    /// Deletes the file: it has no name from now on. Its blocks are given back when it is disposed, so whoever has it
    /// open can go on reading.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The volume is closed, or the file was given up.</exception>
    public void Delete()
    {
        lock (_volume.Lock)
        {
            ThrowIfGone();
            if (_name is not null)
            {
                _volume.Unbind(this);
            }
        }
    }

    /// <summary>Says that nobody uses the file any more: an anonymous one gives its blocks back.</summary>
    public void Dispose()
    {
        lock (_volume.Lock)
        {
            IsOpen = false;
            if (_name is null)
            {
                Release();
            }
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name ?? "anonymous"} {Id}, {Length} bytes";

    internal bool BelongsTo(VolumeState volume) => _volume == volume;

    internal void SetName(string? name) => Volatile.Write(ref _name, name);

    /// <summary>Shows a run at a place of the file. Everything was checked, and the change was announced.</summary>
    internal void Bind(Space.Run run, long fileOffset)
    {
        var first = fileOffset / _volume.Trees.Shape.BlockSize;
        Tree = _volume.Trees.Replace(Tree, first, first + run.Count, new RunSource(first, run));
    }

    private void Share(FileTree from, SharedRange range)
    {
        var size = _volume.Trees.Shape.BlockSize;
        var first = range.DestinationOffset / size;
        var source = new TreeSource(_volume.Trees, from, (range.SourceOffset / size) - first);
        Tree = _volume.Trees.Replace(Tree, first, first + (range.Length / size), source);
    }

    private CowFile FileOf(IExtentMap source) => source is CowFile file && file._volume == _volume
        ? file : throw new ArgumentException("The source is no file of this volume.", nameof(source));

    internal void ThrowIfGone()
    {
        _volume.ThrowIfDisposed();
        ObjectDisposedException.ThrowIf(_isReleased, this);
    }

    /// <summary>Gives up the tree of a file that has no name.</summary>
    internal void Release()
    {
        if (_isReleased)
        {
            return;
        }

        _isReleased = true;
        Volatile.Write(ref _sequence, _sequence + 1);
        _volume.Trees.Release(Tree);
        Tree = FileTree.Empty;
        _volume.Remove(this);
    }

    /// <summary>Announces a change of the file: once for each change, before anything of it.</summary>
    internal void Changing()
    {
        Volatile.Write(ref _sequence, _sequence + 1);
        _volume.NoteChange(this);
    }

    private CowFile CloneHere()
    {
        ThrowIfGone();
        var tree = TreeEditor.Share(Tree);
        return _volume.Add(new CowFile(_volume, _volume.TakeNumber(), null, _length, tree) { IsOpen = true });
    }

    private long CheckRange(long offset, long length)
    {
        var size = _volume.Trees.Shape.BlockSize;
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        if (((offset | length) & (size - 1)) != 0 || length > CowVolume.LongestFile || offset > CowVolume.LongestFile - length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset), offset,
                $"The range of {length} bytes must be aligned to the block size {size} and end at {CowVolume.LongestFile} at the latest.");
        }

        return offset / size;
    }
}
