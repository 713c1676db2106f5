using System.Runtime.InteropServices;

namespace SharedPageCache.Sqlite.Native;

/// <summary>sqlite3_vfs, version 3: what SQLite asks a file system. https://sqlite.org/c3ref/vfs.html</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct VfsLayout
{
    public int Version;
    public int FileBytes;
    public int MostNameBytes;
    public VfsLayout* Next;
    public byte* Name;
    public void* Application;
    public delegate* unmanaged[Cdecl]<VfsLayout*, byte*, FileLayout*, int, int*, int> Open;
    public delegate* unmanaged[Cdecl]<VfsLayout*, byte*, int, int> Delete;
    public delegate* unmanaged[Cdecl]<VfsLayout*, byte*, int, int*, int> Access;
    public delegate* unmanaged[Cdecl]<VfsLayout*, byte*, int, byte*, int> FullName;
    public delegate* unmanaged[Cdecl]<VfsLayout*, byte*, void*> OpenLibrary;
    public delegate* unmanaged[Cdecl]<VfsLayout*, int, byte*, void> LibraryError;
    public delegate* unmanaged[Cdecl]<VfsLayout*, void*, byte*, void*> LibrarySymbol;
    public delegate* unmanaged[Cdecl]<VfsLayout*, void*, void> CloseLibrary;
    public delegate* unmanaged[Cdecl]<VfsLayout*, int, byte*, int> Randomness;
    public delegate* unmanaged[Cdecl]<VfsLayout*, int, int> Sleep;
    public delegate* unmanaged[Cdecl]<VfsLayout*, double*, int> CurrentTime;
    public delegate* unmanaged[Cdecl]<VfsLayout*, int, byte*, int> LastError;
    public delegate* unmanaged[Cdecl]<VfsLayout*, long*, int> CurrentTimeMilliseconds;
    public void* SetSystemCall;
    public void* GetSystemCall;
    public void* NextSystemCall;
}

/// <summary>sqlite3_file as this VFS extends it: SQLite allocates it, and knows the first field only.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct FileLayout
{
    public FileMethods* Methods;

    /// <summary>The handle of the managed object.</summary>
    public nint Handle;
}

/// <summary>sqlite3_io_methods, version 3. https://sqlite.org/c3ref/io_methods.html</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct FileMethods
{
    public int Version;
    public delegate* unmanaged[Cdecl]<FileLayout*, int> Close;
    public delegate* unmanaged[Cdecl]<FileLayout*, byte*, int, long, int> Read;
    public delegate* unmanaged[Cdecl]<FileLayout*, byte*, int, long, int> Write;
    public delegate* unmanaged[Cdecl]<FileLayout*, long, int> Truncate;
    public delegate* unmanaged[Cdecl]<FileLayout*, int, int> Sync;
    public delegate* unmanaged[Cdecl]<FileLayout*, long*, int> Size;
    public delegate* unmanaged[Cdecl]<FileLayout*, int, int> Lock;
    public delegate* unmanaged[Cdecl]<FileLayout*, int, int> Unlock;
    public delegate* unmanaged[Cdecl]<FileLayout*, int*, int> CheckReserved;
    public delegate* unmanaged[Cdecl]<FileLayout*, int, void*, int> Control;
    public delegate* unmanaged[Cdecl]<FileLayout*, int> SectorSize;
    public delegate* unmanaged[Cdecl]<FileLayout*, int> Characteristics;
    public delegate* unmanaged[Cdecl]<FileLayout*, int, int, int, nint*, int> MapShared;
    public delegate* unmanaged[Cdecl]<FileLayout*, int, int, int, int> LockShared;
    public delegate* unmanaged[Cdecl]<FileLayout*, void> BarrierShared;
    public delegate* unmanaged[Cdecl]<FileLayout*, int, int> UnmapShared;
    public delegate* unmanaged[Cdecl]<FileLayout*, long, int, nint*, int> Fetch;
    public delegate* unmanaged[Cdecl]<FileLayout*, long, nint, int> Unfetch;
}
