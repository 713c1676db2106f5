namespace SharedPageCache.Reflink;

/// <summary>A file as it was at one moment, to take ranges from: a clone without a name that nobody else knows or writes to.</summary>
/// <remarks>
/// Counted: by the call that takes it, and by each <see cref="RangeLoan"/> of it. So as long as a file shows a range that it does not have, the bytes are there,
/// and so is somebody who shows the blocks.
/// </remarks>
internal sealed class RangeSnapshot
{
    private readonly WritableReflinkFile _file;
    private int _uses = 1;

    private RangeSnapshot(MappedFile mapped)
    {
        Mapped = mapped;
        _file = (WritableReflinkFile)mapped.Extents;
        _file.Lender = this;
    }

    /// <summary>The clone in the cache.</summary>
    public MappedFile Mapped { get; }

    /// <summary>The clone on the disk.</summary>
    public WritableReflinkFile File => _file;

    /// <summary>Takes a snapshot, all of it on the disk. The caller releases it.</summary>
    /// <exception cref="CacheWritebackException">What is dirty could not be written back.</exception>
    /// <exception cref="IOException">The file system failed.</exception>
    public static async ValueTask<RangeSnapshot> TakeAsync(MappedFile source, CancellationToken cancellationToken)
    {
        var snapshot = new RangeSnapshot(await source.CloneAsync(null, cancellationToken).ConfigureAwait(false));
        try
        {
            await snapshot.FlushAsync(cancellationToken).ConfigureAwait(false);
            return snapshot;
        }
        catch
        {
            snapshot.Release();
            throw;
        }
    }

    public RangeSnapshot Use()
    {
        Interlocked.Increment(ref _uses);
        return this;
    }

    /// <summary>The last one who releases it closes it.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _uses) == 0)
        {
            _file.CloseUnnamed(Mapped);
        }
    }

    /// <summary>
    /// What was written to the source while it was cloned is not in the clone on the disk yet. A failure in the background that the clone has inherited is
    /// told by the source's own flush; it is not what the second attempt says.
    /// </summary>
    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Mapped.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (CacheWritebackException)
        {
            await Mapped.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
