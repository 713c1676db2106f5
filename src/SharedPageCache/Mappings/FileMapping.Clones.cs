using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>Clones: the engine's metadata by its hook, the tree by sharing it, in one step of gate and binding lock.</summary>
internal sealed partial class FileMapping
{
    /// <summary>
    /// Clones the file: the engine's metadata by its hook and the tree by sharing it, as one step of the gate.
    /// </summary>
    public FileMapping Clone(FileTerms terms)
    {
        _gate.EnterFirst();
        Volume.Binding.Enter();
        try
        {
            ThrowIfClosed();
            Volume.ThrowIfOpen(terms.Id);
            var sequence = SequenceOrUnknown();
            return AddClone(CloneExtents(), sequence, terms);
        }
        finally
        {
            Volume.Binding.Exit();
            _gate.ExitAlone();
        }
    }

    private IExtentMap CloneExtents()
    {
        if (Extents is not ICloneableExtentMap cloneable)
        {
            return Extents;
        }

        using (EngineCode.Enter($"{nameof(ICloneableExtentMap)}.{nameof(ICloneableExtentMap.Clone)}"))
        {
            return cloneable.Clone() ?? throw new InvalidOperationException($"{Extents.GetType().Name}.Clone returned null.");
        }
    }

    /// <summary>
    /// The clone of an engine that cloned by itself. It shares the tree if the file's truth has not changed since the cookie,
    /// which was taken before the engine cloned.
    /// </summary>
    public FileMapping AddClone(IExtentMap extents, Cookie cookie, FileTerms terms)
    {
        _gate.EnterFirst();
        Volume.Binding.Enter();
        try
        {
            ThrowIfClosed();
            return AddClone(extents, Holds(cookie) ? cookie.Sequence : UnknownSequence, terms);
        }
        finally
        {
            Volume.Binding.Exit();
            _gate.ExitAlone();
        }
    }

    /// <summary>
    /// The clone of this file at a sequence. It takes over the tree if no change was under way: none came while the engine
    /// cloned, and every one before was followed by its invalidation.
    /// </summary>
    private FileMapping AddClone(IExtentMap extents, long sequence, FileTerms terms)
    {
        var isSettled = sequence != UnknownSequence && sequence == SequenceOrUnknown() && sequence == _toldSequence;
        if (isSettled && !Family.HasRelatives)
        {
            // Until now nobody else shared a node.
            _sharedSequence = sequence;
        }

        var clone = isSettled
            ? Volume.AddClone(this, extents, Tree, isInLine: sequence == _sharedSequence, terms)
            : Volume.AddClone(this, extents, TreeSurgery.OnlyDirty(this), isInLine: true, terms);
        Volume.OwePersist();
        if (isSettled)
        {
            clone.BeginWith(this);
        }

        // From here on neither file owns what both show: the clone was born with a stamp that no node carries.
        Atomic.StoreRelease(ref _stamp, NewStamp());
        clone.InheritUntold(this);

        return clone;
    }
}
