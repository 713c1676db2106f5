using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SharedPageCache.Sqlite.Native;

/// <summary>
/// Tells each new connection to a database of a store to read pages where they are: SQLite asks for pages by xFetch only
/// on connections that have a <c>mmap_size</c>, which is 0 by default and can be set neither by a VFS nor by a URI.
/// </summary>
/// <remarks>
/// SQLite calls automatic extensions at the end of opening a connection, of every one in the process. Those to other VFSs
/// are left alone. The limit counts for SQLite's own mappings; a VFS may go beyond it, and this one does.
/// </remarks>
internal static unsafe class NewConnections
{
    private static SqliteLibrary? s_library;

    public static void Watch(SqliteLibrary library)
    {
        Volatile.Write(ref s_library, library);
        library.Extend(&Opened);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Opened(void* connection, byte** message, void* routines)
    {
        var library = Volatile.Read(ref s_library)!;
        var vfs = library.VfsOf(connection);
        if (vfs is not null && VfsRegistration.IsOurs(vfs))
        {
            // If it does not take it, reads are copies.
            library.Execute(connection, "PRAGMA mmap_size=2147418112\0"u8);
        }

        return ResultCode.Ok;
    }
}
