namespace SharedPageCache;

/// <summary>
/// A file whose clone is a system call or does I/O (FICLONE). <c>MappedFile.CloneAsync</c> writes back what is dirty, calls
/// <see cref="CloneAsync"/>, then shares the tree, if no extent changed meanwhile. <c>MappedFile.Clone</c> refuses such a
/// file, also if it is an <see cref="ICloneableExtentMap"/> because it can be written.
/// </summary>
/// <remarks>
/// Of a file that is written, the clone shows the file as it lies on the device when <see cref="CloneAsync"/> runs. The cache
/// keeps the volume's turn for write-back and the file's turn for changes of its shape meanwhile: nothing is placed, written
/// or published, and the length stands still. So the engine must not flush files of the volume in it, nor wait for somebody
/// who does.
/// </remarks>
public interface IAsyncCloneableExtentMap : IExtentMap
{
    /// <summary>Clones the file.</summary>
    /// <param name="cancellationToken">Cancels the operation where the engine can.</param>
    /// <returns>The extents of the clone.</returns>
    ValueTask<IExtentMap> CloneAsync(CancellationToken cancellationToken);
}
