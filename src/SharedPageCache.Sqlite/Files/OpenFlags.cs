namespace SharedPageCache.Sqlite.Files;

/// <summary>How SQLite wants a file opened. SQLite's own numbers; those that nobody asks for are left out.</summary>
[Flags]
internal enum OpenFlags
{
    ReadOnly = 0x1,
    ReadWrite = 0x2,
    Create = 0x4,
    DeleteOnClose = 0x8,
    Exclusive = 0x10,
    MainDatabase = 0x100,
}
