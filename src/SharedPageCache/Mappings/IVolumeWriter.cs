namespace SharedPageCache.Mappings;

/// <summary>What writers ask of the write-back of their volume, which lies a floor above.</summary>
internal interface IVolumeWriter
{
    /// <summary>Whether that many more pages may become dirty now.</summary>
    bool HasRoomFor(int pages);

    /// <summary>Pages have become dirty, or a file with dirty pages was closed: the writer looks whether it is time to write.</summary>
    void Noted();

    /// <summary>
    /// Waits until there may be room for more dirty pages, or frames may have come free.
    /// </summary>
    /// <param name="file">The file that is to be written: an error is told in its terms.</param>
    /// <param name="since">What <see cref="Begin"/> gave when the caller began to wait.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="CacheWritebackException">All of the volume's dirty pages have failed since then.</exception>
    Task WaitAsync(FileMapping file, long since, CancellationToken cancellationToken);

    /// <summary>
    /// Slows a writer that has made pages dirty, if there are many: it waits for its share of what write-back gets done. Holds
    /// nothing while it waits.
    /// </summary>
    /// <param name="pages">How many pages its write has made dirty.</param>
    /// <param name="cancellationToken">Ends the wait, without an exception: the write is done.</param>
    ValueTask PayAsync(int pages, CancellationToken cancellationToken);

    /// <summary>The volume was detached: the background writer ends.</summary>
    void Stop();

    /// <summary>The moment at which a caller begins to wait.</summary>
    long Begin();
}
