namespace SharedPageCache;

/// <summary>
/// A file whose shape the engine can change: the hooks of the same name as the operations of <c>MappedFile</c>.
/// </summary>
/// <remarks>
/// <para>
/// Every change of a file's truth enters through <c>MappedFile</c>, which calls the hook synchronously inside the file's
/// gate and the volume's binding lock, together with the change of the page tree. Hooks work in memory, do no I/O and do
/// not call the cache; they advance <see cref="IExtentMap.Sequence"/>. If one throws nothing has changed.
/// </para>
/// <para>The cache's write side calls them; the read side does not.</para>
/// </remarks>
public interface IWritableExtentMap : ICloneableExtentMap
{
    /// <summary>Changes the file's length. Bytes past a shorter length are gone; bytes before a longer one read zero.</summary>
    /// <param name="newLength">The new length in bytes.</param>
    void SetLength(long newLength);

    /// <summary>Makes a range a hole: it reads zero and its blocks may be freed.</summary>
    /// <param name="offset">First byte, a multiple of the device's block size.</param>
    /// <param name="length">Length in bytes, a multiple of the device's block size.</param>
    void PunchHole(long offset, long length);

    /// <summary>Shares a range of another file of the same volume (or of this one) into this file.</summary>
    /// <param name="source">The file whose blocks are to be shared.</param>
    /// <param name="sourceOffset">First byte in the source, block-aligned.</param>
    /// <param name="destinationOffset">First byte in this file, block-aligned.</param>
    /// <param name="length">Length in bytes, block-aligned.</param>
    void CloneRange(IExtentMap source, long sourceOffset, long destinationOffset, long length);

    /// <summary>Deletes the file. Its blocks may be freed, by Discard, once no other file shows them.</summary>
    void Delete();

    /// <summary>
    /// Told, outside every lock, before pages that are shared on disk are copied for a write: the engine may allocate,
    /// veto by throwing, or take note. Called again if more became shared meanwhile.
    /// </summary>
    /// <param name="offset">First byte of the range that will stop being shared.</param>
    /// <param name="length">Length in bytes.</param>
    /// <param name="cancellationToken">The writer's token.</param>
    ValueTask BeforeUnshareAsync(long offset, long length, CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
