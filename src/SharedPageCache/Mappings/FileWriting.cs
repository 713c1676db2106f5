using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>What a file has once it was written to, and not before: marks, the turn for changes of shape, untold errors.</summary>
internal sealed class FileWriting
{
    private static long s_files;

    private CacheWritebackException? _untold;

    /// <summary>The file's place in the order in which gates and marks of several files are taken.</summary>
    public long Order { get; } = Atomic.Add(ref s_files, 1);

    private long _begunWith;

    /// <summary>The number of the content with which the file began; 0 while it has that still.</summary>
    public long BegunWith => Atomic.LoadAcquire(ref _begunWith);

    /// <summary>The file's content changes for the first time. Inside the gate; all who come at the same time say the same.</summary>
    public void NoteBeginning(long content) => Atomic.CompareExchange(ref _begunWith, content, 0);

    /// <summary>The file begins with what it shows now. Inside the gate, alone.</summary>
    public void BeginAgain() => Atomic.StoreRelease(ref _begunWith, 0);

    /// <summary>One writer of a page at a time.</summary>
    public PageMarks Marks { get; } = new();

    /// <summary>What <see cref="LengthTurn"/> is among the places of a file that something may keep: no page.</summary>
    public const long LengthPlace = -1;

    /// <summary>
    /// One change of the file's length at a time: it takes several steps, some of which wait. Holes are punched in it too,
    /// for a clone by a system call keeps it: the file's shape stands still from the flush on until the clone is there.
    /// </summary>
    public Permits LengthTurn { get; } = new(1);

    /// <summary>
    /// Whether the device may hold something else than zeros behind the file's end, in its last page: it was opened so, or
    /// cut there. In the turn of the length.
    /// </summary>
    public bool TailMayBeStale { get; set; } = true;

    /// <summary>A write-back in the background has failed for a page that the file shows: the next flush tells it.</summary>
    public void Report(CacheWritebackException error) => Atomic.CompareExchange(ref _untold, error, null);

    /// <summary>Takes the error that nobody was told yet.</summary>
    public CacheWritebackException? TakeUntold() => Atomic.Exchange(ref _untold, null);

    /// <summary>The error that nobody was told yet; it stays.</summary>
    public CacheWritebackException? Untold => Atomic.LoadAcquire(ref _untold);
}
