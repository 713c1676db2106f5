namespace SharedPageCache;

/// <summary>
/// A file that its engine can clone in memory. <c>MappedFile.Clone</c> calls <see cref="Clone"/> inside the file's gate:
/// no write of this file is under way, and the point in time of the engine's clone and of the cache's is the same.
/// </summary>
/// <remarks>
/// A map that does not implement this interface is cloned by sharing it: right for files that are only read. An engine
/// whose clone is a system call or does I/O implements <see cref="IAsyncCloneableExtentMap"/> instead.
/// </remarks>
public interface ICloneableExtentMap : IExtentMap
{
    /// <summary>Clones the engine's metadata of this file.</summary>
    /// <remarks>
    /// Synchronous, in memory, no I/O, constant time if clones are to be constant time; must not call the cache. If it
    /// throws, nothing has changed and the exception reaches the caller of <c>Clone</c>. The clone becomes durable with
    /// the next persist, not before.
    /// </remarks>
    /// <returns>The extents of the clone, equal to this file's at this moment.</returns>
    IExtentMap Clone();
}
