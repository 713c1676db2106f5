namespace SharedPageCache.Sqlite.Locking;

/// <summary>How far a connection has locked a database file. SQLite's own numbers.</summary>
internal enum LockLevel
{
    None = 0,
    Shared = 1,
    Reserved = 2,
    Pending = 3,
    Exclusive = 4,
}
