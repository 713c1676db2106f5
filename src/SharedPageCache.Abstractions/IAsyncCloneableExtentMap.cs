namespace SharedPageCache;

/// <summary>
/// A file whose clone is a system call or does I/O (FICLONE). <c>MappedFile.CloneAsync</c> calls
/// <see cref="CloneAsync"/>, then shares the tree, if no extent changed meanwhile.
/// </summary>
public interface IAsyncCloneableExtentMap : IExtentMap
{
    /// <summary>Clones the file.</summary>
    /// <param name="cancellationToken">Cancels the operation where the engine can.</param>
    /// <returns>The extents of the clone.</returns>
    ValueTask<IExtentMap> CloneAsync(CancellationToken cancellationToken);
}
