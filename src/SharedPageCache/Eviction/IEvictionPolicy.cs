namespace SharedPageCache.Eviction;

/// <summary>
/// An eviction policy: the order in which resident frames are offered for eviction. It learns of hits only through the
/// use counts in the frame headers (<see cref="Frames.FrameHeader.Use"/>), which hits raise until saturated.
/// </summary>
/// <remarks>
/// All members are called under the reclaimer's lock. A frame is in the policy from <see cref="Admit"/> until
/// <see cref="PickVictim"/> or <see cref="Remove"/> takes it out; a picked frame comes back by <see cref="PutBack"/> or
/// <see cref="Spare"/>, or leaves for good, in which case <see cref="Evicted"/> tells what block went. Several frames may be picked at
/// the same time.
/// </remarks>
internal interface IEvictionPolicy
{
    /// <summary>Memory that the policy holds beside the headers, in bytes.</summary>
    long MetadataBytes { get; }

    /// <summary>Takes in a frame that holds a new resident page.</summary>
    /// <param name="frame">The frame; its use count is zero or has just begun to count.</param>
    /// <param name="identityHash">A well-mixed hash of the block, the same whenever the block is loaded; 0 if it has none.</param>
    void Admit(int frame, ulong identityHash);

    /// <summary>Takes out the frame to evict next.</summary>
    /// <returns>The frame, or -1 if the policy holds none.</returns>
    int PickVictim();

    /// <summary>Takes back a picked frame that could not be evicted (pinned, busy); it must not be offered again at once.</summary>
    void PutBack(int frame);

    /// <summary>Takes back a picked frame as one that was used since the policy last came by.</summary>
    void Spare(int frame);

    /// <summary>The picked frame's page is gone.</summary>
    void Evicted(int frame, ulong identityHash);

    /// <summary>Takes out a frame that left without being picked (discarded, failed). No-op if the frame is not in.</summary>
    void Remove(int frame);
}
