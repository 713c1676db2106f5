using System.Runtime.InteropServices;
using System.Text;
using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Native;

namespace SharedPageCache.Sqlite.Tests.Native;

/// <summary>The VFS of a store, used as SQLite does it. It can be called when the store is closed, as by a connection that is still open.</summary>
internal sealed unsafe partial class NativeVfs
{
    private readonly VfsLayout* _vfs;

    public NativeVfs(SqliteBranchStore store)
    {
        fixed (byte* name = Terminated(store.VfsName))
        {
            _vfs = sqlite3_vfs_find(name);
        }
    }

    /// <summary>Opens a file.</summary>
    /// <returns>The result code.</returns>
    public int Open(string name, OpenFlags flags, out NativeFile? file)
    {
        var memory = (FileLayout*)NativeMemory.AllocZeroed((nuint)_vfs->FileBytes);
        int code;
        fixed (byte* bytes = Terminated(name))
        {
            code = _vfs->Open(_vfs, bytes, memory, (int)flags, null);
        }

        file = code == ResultCode.Ok ? new NativeFile(memory) : null;
        if (file is null)
        {
            NativeMemory.Free(memory);
        }

        return code;
    }

    public int Delete(string name)
    {
        fixed (byte* bytes = Terminated(name))
        {
            return _vfs->Delete(_vfs, bytes, 1);
        }
    }

    public int Access(string name)
    {
        int answer;
        fixed (byte* bytes = Terminated(name))
        {
            return _vfs->Access(_vfs, bytes, 0, &answer);
        }
    }

    public int FullName(string name, int room)
    {
        var full = stackalloc byte[room];
        fixed (byte* bytes = Terminated(name))
        {
            return _vfs->FullName(_vfs, bytes, room, full);
        }
    }

    private static byte[] Terminated(string name) => Encoding.UTF8.GetBytes(name + "\0");

    [LibraryImport("e_sqlite3")]
    private static partial VfsLayout* sqlite3_vfs_find(byte* name);
}
