namespace SharedPageCache.Sqlite.Locking;

/// <summary>
/// The lock of a database file, as SQLite documents it (https://sqlite.org/lockingv3.html): many readers; one who is going
/// to write beside them (RESERVED); one who waits for the readers to leave and lets no new one in (PENDING); one alone
/// (EXCLUSIVE).
/// </summary>
/// <remarks>
/// <para>
/// One word for all connections; each connection keeps its own level and passes it in, so the word need not know who
/// holds what. All changes are one compare-and-swap (a full fence), so what a holder wrote before it let go is seen by the
/// next one. Nobody waits here: SQLite asks again, as its busy handler says.
/// </para>
/// <code>
/// bits 0..27   connections at SHARED or above
/// bit 28       one of them is at RESERVED or above
/// bit 29       that one waits to be alone, or is (PENDING): nobody gets SHARED
/// bit 30       that one is alone (EXCLUSIVE)
/// </code>
/// </remarks>
internal struct FileLock
{
    private const int Writer = 1 << 28;
    private const int Pending = 1 << 29;
    private const int Exclusive = 1 << 30;
    private const int Readers = Writer - 1;

    private int _word;

    /// <summary>Whether a connection is at RESERVED or above.</summary>
    public readonly bool IsReserved => (Volatile.Read(in _word) & Writer) != 0;

    /// <summary>
    /// Whether a connection is preparing a transaction and has not begun to change the file: it does that only when alone.
    /// </summary>
    public readonly bool IsBeingPrepared => (Volatile.Read(in _word) & (Writer | Exclusive)) == Writer;

    /// <summary>Raises a connection's level as far as it goes now.</summary>
    /// <param name="level">The connection's level; what it got. May be PENDING if EXCLUSIVE was wanted and readers are left.</param>
    /// <param name="wanted">SHARED, RESERVED or EXCLUSIVE.</param>
    /// <returns>Whether it got what it wanted.</returns>
    public bool TryRaise(ref LockLevel level, LockLevel wanted)
    {
        while (level < wanted)
        {
            var word = Volatile.Read(in _word);
            var (next, reached) = Raised(word, level, wanted);
            if (next == word)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _word, next, word) == word)
            {
                level = reached;
            }
        }

        return true;
    }

    /// <summary>Lowers a connection's level to SHARED or to none.</summary>
    public void Lower(ref LockLevel level, LockLevel wanted)
    {
        while (level > wanted)
        {
            var word = Volatile.Read(in _word);
            var next = level > LockLevel.Shared ? word & ~(Writer | Pending | Exclusive) : word;
            next -= wanted == LockLevel.None ? 1 : 0;
            if (Interlocked.CompareExchange(ref _word, next, word) == word)
            {
                level = wanted;
            }
        }
    }

    /// <summary>The word one step up, and the level that it means; the word itself if there is no way.</summary>
    private static (int Next, LockLevel Reached) Raised(int word, LockLevel level, LockLevel wanted) => level switch
    {
        LockLevel.None => (word & Pending) != 0 ? (word, level) : (word + 1, LockLevel.Shared),
        LockLevel.Shared when (word & Writer) != 0 => (word, level),
        LockLevel.Shared when wanted == LockLevel.Reserved => (word | Writer, LockLevel.Reserved),

        // Straight to PENDING, without RESERVED: a journal that a crash left behind is played back so.
        LockLevel.Shared => (word | Writer | Pending, LockLevel.Pending),
        LockLevel.Reserved => (word | Pending, LockLevel.Pending),
        _ => (word & Readers) == 1 ? (word | Exclusive, LockLevel.Exclusive) : (word, level),
    };

    /// <inheritdoc/>
    public override readonly string ToString()
    {
        var word = Volatile.Read(in _word);
        var writer = (word & Exclusive) != 0 ? "exclusive" : (word & Pending) != 0 ? "pending" : (word & Writer) != 0 ? "reserved" : "no writer";
        return $"{word & Readers} connections, {writer}";
    }
}
