using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The open files that come from one another by cloning. Leaves name a clone family, not files, so a clone joins by one
/// entry in one list.
/// </summary>
internal sealed class CloneFamily
{
    private TinyLock _lock;
    private FileMapping?[] _members = new FileMapping?[1];
    private int _count;
    private long _sharedRanges;

    /// <summary>
    /// How many ranges of members were shared with other files, or came from others. Never taken back: from the first on any page
    /// of any member, of those too that are cloned later, may be shown by a file outside the family, whether that is open or not.
    /// </summary>
    public long SharedRanges => Atomic.LoadAcquire(ref _sharedRanges);

    /// <summary>A range of a member is shared from now on. Inside the member's gate, alone.</summary>
    public void NoteSharedRange() => Atomic.Add(ref _sharedRanges, 1);

    public bool HasMembers => Atomic.LoadAcquire(ref _count) != 0;

    /// <summary>Whether there is more than one open file: who is alone shares no node.</summary>
    public bool HasRelatives => Atomic.LoadAcquire(ref _count) > 1;

    public void Join(FileMapping file)
    {
        _lock.Enter();
        try
        {
            if (_count == _members.Length)
            {
                Array.Resize(ref _members, _count * 2);
            }

            file.IndexInFamily = _count;
            _members[_count] = file;
            Atomic.StoreRelease(ref _count, _count + 1);
        }
        finally
        {
            _lock.Exit();
        }
    }

    public void Leave(FileMapping file)
    {
        _lock.Enter();
        try
        {
            var last = _members[_count - 1]!;
            _members[file.IndexInFamily] = last;
            last.IndexInFamily = file.IndexInFamily;
            _members[_count - 1] = null;
            Atomic.StoreRelease(ref _count, _count - 1);
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Whether any member shows a leaf at a window: as a rule the first that is looked at.</summary>
    public bool AnyReaches(long window, Leaf leaf)
    {
        _lock.Enter();
        try
        {
            foreach (var file in _members.AsSpan(0, _count))
            {
                if (file!.Reaches(window, leaf))
                {
                    return true;
                }
            }

            return false;
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>The members at this moment.</summary>
    public FileMapping[] Members()
    {
        _lock.Enter();
        try
        {
            return _members.AsSpan(0, _count).ToArray()!;
        }
        finally
        {
            _lock.Exit();
        }
    }
}
