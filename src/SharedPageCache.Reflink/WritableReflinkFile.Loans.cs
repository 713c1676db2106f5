using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <content>Ranges of other files, from the moment when the file shows them until it has them.</content>
/// <remarks>
/// <para>
/// <b>A loan</b> begins in the hook, in memory: the range gets a name, the change is queued, and who reads the name reads the snapshot. It ends when the change was done to the file and its extents
/// were asked for: the names give way to the blocks, which are the source's and cached as such. So the range is there as a whole or not at all, at one moment, for all who look through the cache;
/// what fails later is a write-back that is still owed, as for anything else that was written.
/// </para>
/// <para>
/// <b>A page that is dirty in the range when the hook comes</b> may be frozen already, and is then named and written after the change was done to the file. Or it was written after the hook. Only the publication tells the two
/// apart. So a name that is lent is shown until then: what is read by it never comes from the file, whatever is being written there. If the page is published its own name takes the place; if it is given back the
/// change is done once more for it, before all that is queued by now.
/// </para>
/// </remarks>
internal sealed partial class WritableReflinkFile
{
    private const int CopiedAtOnce = 1 << 20;

    private static readonly int[] NeverShared = [1, 18, 22, 25, 95];     // EPERM, EXDEV, EINVAL, ENOTTY, EOPNOTSUPP

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(
        BlockRun run, long offset, IReadOnlyList<Memory<byte>> buffers, bool blocking, CancellationToken cancellationToken) =>
        LoanOf(run) is { } loan ? ReadLentAsync(loan, run, offset, buffers, blocking, cancellationToken)
            : run.Offset >= ExtentTable.FirstStaged && offset + run.Length > Table.Length ? ReadEndAsync(run, offset, buffers, blocking, cancellationToken)
            : base.ReadAsync(run, offset, buffers, blocking, cancellationToken);

    /// <summary>Reads names of which the file may show the last one in part: first those before it, then that one, through a file that shows it whole if there is any.</summary>
    private ValueTask<int> ReadEndAsync(
        BlockRun run, long offset, IReadOnlyList<Memory<byte>> buffers, bool blocking, CancellationToken cancellationToken)
    {
        var lastPage = Table.Length & -Volume.Cached.PageSize;
        if (offset < lastPage && lastPage < offset + run.Length)
        {
            var before = lastPage - offset;
            return base.ReadAsync(new BlockRun(run.Offset, before), offset, buffers.First(before), blocking, cancellationToken);
        }

        return Volume.FindWhole(this, run) is var (other, itsOffset)
            ? other.ReadWholeAsync(run, itsOffset, buffers, blocking, cancellationToken)
            : base.ReadAsync(run, offset, buffers, blocking, cancellationToken);
    }

    /// <summary>
    /// Reads a name for another file, which shows it too and ends inside it: what is read by a name is the same for all. Not cut off at this
    /// file's end unless that has come to lie inside too, and then the read fails.
    /// </summary>
    private async ValueTask<int> ReadWholeAsync(
        BlockRun run, long offset, IReadOnlyList<Memory<byte>> buffers, bool blocking, CancellationToken cancellationToken)
    {
        var read = await base.ReadAsync(run, offset, buffers, blocking, cancellationToken).ConfigureAwait(false);
        return offset + run.Length <= Table.Length ? read : throw new ReflinkFileChangedException(
            Path, ReflinkChanges.Extents, $"it was cut to {Table.Length} bytes while {run} was read from {offset} on for another file");
    }

    /// <summary>Where the file shows a name to its end; null if it does not.</summary>
    public long? OffsetOfWhole(BlockRun run)
    {
        var table = Table;
        foreach (var staged in table.Staged())
        {
            var offset = staged.FileOffset + (run.Offset - staged.PhysicalOffset);
            if (staged.PhysicalOffset <= run.Offset && run.End <= staged.PhysicalOffset + staged.Length && offset + run.Length <= table.Length)
            {
                return offset;
            }
        }

        return null;
    }

    private async ValueTask<int> ReadLentAsync(
        RangeLoan loan, BlockRun run, long offset, IReadOnlyList<Memory<byte>> buffers, bool blocking, CancellationToken cancellationToken)
    {
        ThrowIfRefused();
        ThrowIfElsewhere(run, offset);
        var length = Table.Length;
        var read = await loan.Snapshot.File.ReadAsync(BlockRun.None, loan.SourceOf(offset), buffers, blocking, cancellationToken).ConfigureAwait(false);
        CheckStamp();
        ThrowIfRefused();
        ThrowIfElsewhere(run, offset);
        buffers.ClearFrom((int)Math.Clamp(length - offset, 0, read));
        return read;
    }

    private RangeLoan? LoanOf(BlockRun run)
    {
        if (run.Offset < ExtentTable.FirstLent)
        {
            return null;
        }

        lock (_shape)
        {
            return _loans.Find(loan => loan.Name.Offset <= run.Offset && run.End <= loan.Name.End);
        }
    }

    /// <summary>Whether a name stands for a range that is still to be shared, or for a block that is still to be cut. Under <c>_shape</c>.</summary>
    private bool IsOwed(Extent run) =>
        _queue.Exists(change => change.Shares(run.FileOffset, run.FileEnd) || change.EndsInside(run.FileOffset, run.FileEnd));

    /// <summary>Makes a range of the file what it is lent, by the file system if it does that between these two files, else by copying.</summary>
    private void Share(ShapeChange change)
    {
        var (source, from) = (change.Loan!.Snapshot.File, change.Loan.SourceOf(change.Offset));
        var length = Math.Min(
            change.Length, Math.Min(RandomAccess.GetLength(source.OpenHandle) - from, RandomAccess.GetLength(Handle) - change.Offset));
        if (length <= 0)
        {
            return;
        }

        // A part of a block is shared only where the source ends too.
        var whole = from + length == RandomAccess.GetLength(source.OpenHandle) ? length : length & -Volume.BlockSize;
        try
        {
            if (whole > 0)
            {
                WritableFile.CloneRange(source.OpenHandle, from, Handle, change.Offset, whole, Path);
            }
        }
        catch (Exception error) when (error is UnauthorizedAccessException || (error is IOException && NeverShared.Contains(error.HResult)))
        {
            whole = 0;
        }

        if (whole < length)
        {
            Copy(source, from + whole, change.Offset + whole, length - whole);
        }

        var end = change.Offset + ((whole + Volume.BlockSize - 1) & -Volume.BlockSize);
        lock (_shape)
        {
            ForgetShared(change.Offset, end);
            _shared.AddRange(whole > 0 ? [(change.Offset, end)] : []);
        }
    }

    private void Copy(WritableReflinkFile source, long from, long offset, long length)
    {
        using var buffer = new AlignedMemory((int)Math.Min(CopiedAtOnce, (length + Volume.BlockSize - 1) & -Volume.BlockSize), Math.Max(MemoryAlignment, Environment.SystemPageSize));
        for (var done = 0L; done < length;)
        {
            var part = (int)Math.Min(buffer.Memory.Length, length - done);
            var whole = buffer.Memory[..((part + Volume.BlockSize - 1) & -Volume.BlockSize)];
            for (var read = 0; read < part;)
            {
                var more = source.ReadAsync(BlockRun.None, from + done + read, [whole[read..]], blocking: true, CancellationToken.None).AsTask().GetAwaiter().GetResult();
                read += more > 0 ? more : throw new IOException($"'{source}' ends at {from + done + read}.");
            }

            new DirectWriter(Handle, () => Buffered, MemoryAlignment, Volume.BlockSize)
                .WriteAsync([buffer.Memory[..part]], offset + done, part).AsTask().GetAwaiter().GetResult();
            done += part;
        }
    }

    /// <summary>Gives back what the file has by now.</summary>
    private void ReleaseDone()
    {
        List<RangeLoan> done;
        lock (_shape)
        {
            done = _loans.FindAll(loan => !_queue.Exists(change => change.Loan == loan));
            _loans = _loans.FindAll(loan => !done.Contains(loan));
        }

        done.ForEach(static loan => loan.Snapshot.Release());
    }

    private void ReleaseAll()
    {
        List<RangeLoan> all;
        lock (_shape)
        {
            (all, _loans) = (_loans, []);
        }

        all.ForEach(static loan => loan.Snapshot.Release());
    }
}
