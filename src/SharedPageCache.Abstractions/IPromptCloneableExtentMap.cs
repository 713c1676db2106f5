namespace SharedPageCache;

/// <summary>A file whose clone is a system call for which nothing has to be flushed while nothing of it is dirty.</summary>
public interface IPromptCloneableExtentMap : IAsyncCloneableExtentMap
{
    /// <summary>
    /// Clones the file at once, if all that its clone needs is on the device. <c>MappedFile.CloneAsync</c> asks first when no page of the file
    /// is dirty, in the same turns in which it calls <see cref="IAsyncCloneableExtentMap.CloneAsync"/> (see there), and without having the volume
    /// made durable what it owes.
    /// </summary>
    /// <returns>The extents of the clone; null if something has to be flushed first, and <see cref="IAsyncCloneableExtentMap.CloneAsync"/> is to be called.</returns>
    IExtentMap? TryClone();
}
