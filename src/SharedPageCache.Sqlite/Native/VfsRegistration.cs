using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Native;

/// <summary>A VFS as SQLite knows it: the table of its functions in native memory, under a name, for one store.</summary>
/// <remarks>
/// A connection may use the table as long as it is open, and pooled connections are open longer than one thinks. So the
/// table is never freed: a few hundred bytes for each store that was ever opened. Disposing takes the name away and lets go
/// of the store; calls that come later are answered by errors.
/// </remarks>
internal sealed unsafe class VfsRegistration : IDisposable
{
    /// <summary>Every table that there ever was.</summary>
    private static readonly ConcurrentDictionary<nint, byte> s_tables = new();

    private readonly SqliteLibrary _library;
    private readonly VfsLayout* _vfs;
    private GCHandle _handle;

    public VfsRegistration(SqliteLibrary library, string name, StoreFiles files)
    {
        _library = library;
        _handle = GCHandle.Alloc(files);
        var bytes = Encoding.UTF8.GetBytes(name);
        _vfs = (VfsLayout*)NativeMemory.AllocZeroed((nuint)(sizeof(VfsLayout) + bytes.Length + 1));
        bytes.CopyTo(new Span<byte>(_vfs + 1, bytes.Length));
        _vfs->Version = 2;
        _vfs->FileBytes = Math.Max(sizeof(FileLayout), library.Default->FileBytes);
        _vfs->MostNameBytes = 512;
        _vfs->Name = (byte*)(_vfs + 1);
        _vfs->Application = (void*)GCHandle.ToIntPtr(_handle);
        VfsFunctions.FillIn(_vfs);
        s_tables.TryAdd((nint)_vfs, 0);
        library.Register(_vfs);
    }

    /// <summary>Whether a VFS is one of this package.</summary>
    public static bool IsOurs(VfsLayout* vfs) => s_tables.ContainsKey((nint)vfs);

    /// <summary>The store of a VFS; null once it was closed.</summary>
    public static StoreFiles? FilesOf(VfsLayout* vfs) => (StoreFiles?)GCHandle.FromIntPtr((nint)vfs->Application).Target;

    public void Dispose()
    {
        _library.Unregister(_vfs);
        _handle.Target = null;
    }
}
