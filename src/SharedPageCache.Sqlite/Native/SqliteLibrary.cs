using System.Reflection;
using System.Runtime.InteropServices;

namespace SharedPageCache.Sqlite.Native;

/// <summary>
/// The functions that are needed of the native SQLite library that the application uses. One in a process: a second one
/// would have temporary files, time and connections of its own.
/// </summary>
internal sealed unsafe class SqliteLibrary
{
    private static readonly Lock s_lock = new();
    private static SqliteLibrary? s_current;

    private readonly nint _library;

    private readonly delegate* unmanaged[Cdecl]<byte*, VfsLayout*> _find;
    private readonly delegate* unmanaged[Cdecl]<VfsLayout*, int, int> _register;
    private readonly delegate* unmanaged[Cdecl]<VfsLayout*, int> _unregister;
    private readonly delegate* unmanaged[Cdecl]<void*, byte*, int, void*, int> _control;
    private readonly delegate* unmanaged[Cdecl]<void*, byte*, void*, void*, byte**, int> _execute;
    private readonly delegate* unmanaged[Cdecl]<void*, int> _extend;

    private SqliteLibrary(nint library)
    {
        _library = library;
        _find = (delegate* unmanaged[Cdecl]<byte*, VfsLayout*>)Export("sqlite3_vfs_find");
        _register = (delegate* unmanaged[Cdecl]<VfsLayout*, int, int>)Export("sqlite3_vfs_register");
        _unregister = (delegate* unmanaged[Cdecl]<VfsLayout*, int>)Export("sqlite3_vfs_unregister");
        _control = (delegate* unmanaged[Cdecl]<void*, byte*, int, void*, int>)Export("sqlite3_file_control");
        _execute = (delegate* unmanaged[Cdecl]<void*, byte*, void*, void*, byte**, int>)Export("sqlite3_exec");
        _extend = (delegate* unmanaged[Cdecl]<void*, int>)Export("sqlite3_auto_extension");

        void* Export(string name) => (void*)NativeLibrary.GetExport(library, name);

        // The first call of all: it initialises the library.
        Default = _find(null);
        if (Default is null)
        {
            throw new InvalidOperationException("The SQLite library has no VFS of its own, for temporary files.");
        }
    }

    /// <summary>The library's own VFS: temporary files, time and random numbers come from it.</summary>
    public VfsLayout* Default { get; }

    /// <summary>The library of a name, or if there is none the one that SQLitePCLRaw was told to use.</summary>
    /// <exception cref="InvalidOperationException">It cannot be loaded, or is no SQLite library.</exception>
    public static SqliteLibrary Load(string? name)
    {
        try
        {
            name ??= NameInUse();
            var library = NativeLibrary.Load(name, typeof(SQLitePCL.raw).Assembly, null);
            lock (s_lock)
            {
                if (s_current is null)
                {
                    var loaded = new SqliteLibrary(library);
                    VfsFunctions.Default = loaded.Default;
                    NewConnections.Watch(loaded);
                    s_current = loaded;
                }

                return s_current._library == library
                    ? s_current
                    : throw new InvalidOperationException(
                        $"Stores of this process use another SQLite library than '{name}' already: there can be one only.");
            }
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            throw new InvalidOperationException($"The native SQLite library '{name}' cannot be used: {error.Message}", error);
        }
    }

    public void Register(VfsLayout* vfs)
    {
        if (_register(vfs, 0) is var code and not ResultCode.Ok)
        {
            throw new InvalidOperationException($"SQLite does not take the VFS: error {code}.");
        }
    }

    public void Unregister(VfsLayout* vfs) => _unregister(vfs);

    /// <summary>The VFS of a connection's main database; null if it cannot be had.</summary>
    public VfsLayout* VfsOf(void* connection)
    {
        const int VfsPointer = 27;
        VfsLayout* vfs = null;
        return _control(connection, null, VfsPointer, &vfs) == ResultCode.Ok ? vfs : null;
    }

    /// <summary>Has a function called for each connection of the process once it is open.</summary>
    public void Extend(delegate* unmanaged[Cdecl]<void*, byte**, void*, int> opened) => _ = _extend(opened);

    /// <summary>Runs statements on a connection; errors are of no concern.</summary>
    public void Execute(void* connection, ReadOnlySpan<byte> zeroTerminatedSql)
    {
        fixed (byte* sql = zeroTerminatedSql)
        {
            _execute(connection, sql, null, null, null);
        }
    }

    private static string NameInUse()
    {
        try
        {
            return SQLitePCL.raw.GetNativeLibraryName();
        }
        catch (Exception)
        {
            // Nobody has used SQLite yet. A bundle is asked to present itself, as Microsoft.Data.Sqlite does.
        }

        Type.GetType("SQLitePCL.Batteries_V2, SQLitePCLRaw.batteries_v2")?.GetMethod("Init", BindingFlags.Public | BindingFlags.Static)?.Invoke(null, null);
        try
        {
            return SQLitePCL.raw.GetNativeLibraryName();
        }
        catch (Exception error)
        {
            throw new InvalidOperationException(
                "No native SQLite library was chosen: reference a SQLitePCLRaw bundle (Microsoft.Data.Sqlite brings one), call "
                + "SQLitePCL.raw.SetProvider first, or name a library in SqliteBranchStoreOptions.NativeLibrary.", error);
        }
    }
}
