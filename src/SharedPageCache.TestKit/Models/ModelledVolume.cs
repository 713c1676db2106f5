using System.Diagnostics;
using SharedPageCache.TestKit.Runs;

namespace SharedPageCache.TestKit.Models;

/// <summary>What a <see cref="FileModel"/> works on: a cache with one volume of an engine that can be written. Derive it for yours.</summary>
/// <remarks>
/// One history makes one, and uses it from one flow; the cache may call the engine on other threads. The engine must be
/// able to share ranges and to take over branches (<see cref="IWritableExtentMap.CloneRange"/>, <see cref="IWritableExtentMap.ReplaceWith"/>).
/// </remarks>
[DebuggerDisplay("{Cache}")]
public abstract class ModelledVolume : IDisposable
{
    /// <summary>The cache. The volume is its only one.</summary>
    public abstract PageCache Cache { get; }

    /// <summary>The volume.</summary>
    public abstract CachedVolume Volume { get; }

    /// <summary>Makes a file of holes, in the engine; durable when this returns.</summary>
    /// <param name="length">Its length in bytes.</param>
    /// <returns>The engine's object for it.</returns>
    public abstract IWritableExtentMap CreateFile(long length);

    /// <summary>A clone was made by the cache.</summary>
    /// <param name="file">The engine's object for it.</param>
    public virtual void NoteClone(IExtentMap file)
    {
    }

    /// <summary>A file is not open any more, nothing of it is dirty, and it is never opened again: the engine may free it.</summary>
    /// <param name="file">The engine's object for it.</param>
    public virtual void Forget(IExtentMap file)
    {
    }

    /// <summary>The length that a file would have after a crash at this moment.</summary>
    /// <param name="file">The engine's object for it.</param>
    /// <returns>The length in bytes.</returns>
    public abstract long DurableLengthOf(IExtentMap file);

    /// <summary>Reads what a file would hold after a crash at this moment, not through the cache.</summary>
    /// <param name="file">The engine's object for it.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">Where the bytes go: all of it lies inside the durable length.</param>
    public abstract void ReadDurable(IExtentMap file, long offset, Span<byte> destination);

    /// <summary>
    /// Moves the content of some blocks elsewhere: copies it, tells the volume (<see cref="CachedVolume.Relocate"/>), and moves
    /// the sequence and then the extents of each file that shows it. The model calls <see cref="MappedFile.InvalidateExtents"/>.
    /// </summary>
    /// <param name="dice">What decides which blocks.</param>
    /// <param name="moved">Receives the files whose extents have changed, once each.</param>
    /// <returns>Whether anything was moved.</returns>
    public virtual bool TryMove(Dice dice, ICollection<IExtentMap> moved) => false;

    /// <summary>What is wrong with the engine when nothing is dirty and all is flushed, in words.</summary>
    /// <returns>The fault, or null.</returns>
    public virtual string? FaultAtRest() => null;

    /// <summary>Disposes the cache, also after a failure, and what lies under it.</summary>
    public abstract void Dispose();
}
