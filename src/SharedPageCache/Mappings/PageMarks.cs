using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The writer marks of one file: at most one writer of a page at a time. Kept with the file and never in a leaf, because
/// leaves are shared with clones, whose writers are none of this file's business. Readers, pins and write-back ignore
/// them.
/// </summary>
/// <remarks>
/// A write holds the marks of its pages from its first look at them until its bytes can be seen; a write lease from when
/// it is taken until it is committed or abandoned. Marks are taken in ascending order, so writers of several pages do not
/// wait for each other in a circle. Who cannot have a mark waits outside all locks.
/// </remarks>
internal sealed class PageMarks
{
    private readonly HashSet<long> _marked = [];
    private readonly Turnstile _turns = new();
    private TinyLock _lock;

    public bool TryMark(long page)
    {
        _lock.Enter();
        var isMine = _marked.Add(page);
        _lock.Exit();
        return isMine;
    }

    public void Unmark(long page)
    {
        _lock.Enter();
        _marked.Remove(page);
        _lock.Exit();
        _turns.Pulse();
    }

    public Task WaitAsync(CancellationToken cancellationToken) => _turns.WaitAsync(cancellationToken);
}
