namespace SharedPageCache.Sqlite;

/// <summary>A database of a store, as it was when the list was asked for.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Length">The length of its file in bytes, without journal and log. Most of it may be shared with others.</param>
/// <param name="Connections">How many connections have it open; pooled ones count.</param>
public readonly record struct DatabaseEntry(string Name, long Length, int Connections);
