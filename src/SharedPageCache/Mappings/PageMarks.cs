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
/// <para>
/// <b>Cuts.</b> What is no write (a punch, a shorter length, another range in its place) does not ask for marks. It notes
/// the marked pages that it takes the content of, inside the gate, alone; a write lease looks there inside the gate: the
/// cut came before, and is seen, or comes after the commit.
/// </para>
/// </remarks>
internal sealed class PageMarks
{
    private readonly HashSet<long> _marked = [];
    private readonly HashSet<long> _cut = [];
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
        _cut.Remove(page);
        _lock.Exit();
        _turns.Pulse();
    }

    /// <summary>Pages have lost their content. Inside the file's gate, alone.</summary>
    public void NoteCut(long firstPage, long lastPage)
    {
        _lock.Enter();
        foreach (var page in _marked)
        {
            if (firstPage <= page && page <= lastPage)
            {
                _cut.Add(page);
            }
        }

        _lock.Exit();
    }

    /// <summary>Whether a page has lost its content since it was marked. Exact inside the file's gate.</summary>
    public bool WasCut(long page)
    {
        _lock.Enter();
        var wasCut = _cut.Contains(page);
        _lock.Exit();
        return wasCut;
    }

    public Task WaitAsync(CancellationToken cancellationToken) => _turns.WaitAsync(cancellationToken);
}
