using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache;

/// <content>Branches: what differs between relatives, and the merge of a clone into the file that it was made of.</content>
public sealed partial class MappedFile
{
    /// <summary>
    /// Merges this file, a clone, into the file that it was made of: that file shows from now on what this one shows, dirty pages included,
    /// through all its handles. No page is read, written or copied. This file stays open and is a clone of the other as if it had
    /// just been made.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The other file must be what this one began with: not written to, cut, or changed by its engine since. Any relative of
    /// which that is true will do: a branch of a branch merges into the branch, and into the origin if the branch itself was
    /// merged there. What the engine writes to blocks in place is a change of blocks and not of a file.
    /// </para>
    /// <para>
    /// A reader sees each page before or after the merge; leases stay as they are; a write that is under way comes before or
    /// after, on the content that it finds. The merge is durable with the next flush of the other file; a crash before that
    /// shows no page of it older than it was flushed.
    /// </para>
    /// </remarks>
    /// <param name="target">The file that this one was made of.</param>
    /// <exception cref="MergeConflictException">The other file is not what this one began with. Nothing has changed.</exception>
    /// <exception cref="ArgumentNullException">No file.</exception>
    /// <exception cref="ArgumentException">The files are of different volumes, or both handles are of one file.</exception>
    /// <exception cref="NotSupportedException">The other file cannot be written (see <see cref="CanWrite"/>), or its engine cannot merge.</exception>
    /// <exception cref="ExtentMapException">There is a conflict, and an engine failed when it was asked for the differences.</exception>
    /// <exception cref="ObjectDisposedException">One of the files is closed.</exception>
    public void MergeInto(MappedFile target)
    {
        ThrowIfNoRelative(target);
        ThrowIfNotMergeable(target);
        var merge = _engine.Merges.MergeAsync(_mapping, target._mapping, blocking: true, CancellationToken.None).AsTask();
        merge.GetAwaiter().GetResult();
    }

    /// <summary>Merges this file into the file that it was made of, without blocking the thread.</summary>
    /// <param name="target">The file that this one was made of.</param>
    /// <param name="cancellationToken">Cancels the wait for another change of the file's length; nothing has changed then.</param>
    /// <inheritdoc cref="MergeInto" path="/remarks"/>
    /// <inheritdoc cref="MergeInto" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask MergeIntoAsync(MappedFile target, CancellationToken cancellationToken = default)
    {
        ThrowIfNoRelative(target);
        ThrowIfNotMergeable(target);
        return _engine.Merges.MergeAsync(_mapping, target._mapping, blocking: false, cancellationToken);
    }

    /// <summary>
    /// Lists the pages in which this file and another one of the volume may differ. Pages that are not listed are equal; pages that
    /// are listed differ in where they are stored, and perhaps in nothing else.
    /// </summary>
    /// <remarks>
    /// <para>
    /// For relatives, which share what neither of them has changed, it costs in proportion to the difference: shared parts of
    /// the trees are skipped. Where a changed part is not in memory the engines are asked for extents, never for bytes. For
    /// strangers it costs in proportion to the files' extents.
    /// </para>
    /// <para>
    /// Two pages are stored alike if both are the same dirty page, lie in the same blocks (of the same generation), or are holes.
    /// If the lengths differ, everything from the last page of the shorter file on is listed. Each part of the answer is of one
    /// moment of the call; what is written meanwhile may be missing.
    /// </para>
    /// </remarks>
    /// <param name="other">The other file.</param>
    /// <param name="cancellationToken">Cancels waits for an engine.</param>
    /// <returns>The ranges in bytes, in order, without overlap, of whole pages; the last one may end with the longer file.</returns>
    /// <exception cref="ArgumentNullException">No file.</exception>
    /// <exception cref="ArgumentException">The files are of different volumes.</exception>
    /// <exception cref="ExtentMapException">An engine failed, answered against the rules, or its extents never stood still.</exception>
    /// <exception cref="ObjectDisposedException">One of the files is closed.</exception>
    public async ValueTask<IReadOnlyList<FileRange>> DiffPagesAsync(MappedFile other, CancellationToken cancellationToken = default)
    {
        ThrowIfNoRelative(other);
        return await new PageDifference(_mapping, other._mapping)
            .FindAsync(int.MaxValue, blocking: false, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lists the pages in which this file and another one may differ, blocking the thread if an engine must be asked.</summary>
    /// <param name="other">The other file.</param>
    /// <inheritdoc cref="DiffPagesAsync" path="/remarks"/>
    /// <inheritdoc cref="DiffPagesAsync" path="/returns"/>
    /// <inheritdoc cref="DiffPagesAsync" path="/exception"/>
    public IReadOnlyList<FileRange> DiffPages(MappedFile other)
    {
        ThrowIfNoRelative(other);
        var find = new PageDifference(_mapping, other._mapping).FindAsync(int.MaxValue, blocking: true, CancellationToken.None).AsTask();
        return find.GetAwaiter().GetResult();
    }

    private void ThrowIfNoRelative(MappedFile other, [CallerMemberName] string member = "")
    {
        EngineCode.ThrowIfInCallback(member);
        ArgumentNullException.ThrowIfNull(other);
        ThrowIfUnusable(0);
        other.ThrowIfUnusable(0);
        if (other._mapping.Volume != _mapping.Volume)
        {
            throw new ArgumentException($"{other.Name} is a file of the volume {other.Volume.Name}, and {Name} of {Volume.Name}.", nameof(other));
        }
    }

    private void ThrowIfNotMergeable(MappedFile target)
    {
        if (target._mapping == _mapping)
        {
            throw new ArgumentException($"{Name} cannot be merged into itself.", nameof(target));
        }

        target.ThrowIfNotWritable(0, 0);
    }
}
