using System.Runtime.InteropServices;
using SharedPageCache.Sqlite.Native;

namespace SharedPageCache.Sqlite.Tests.Native;

/// <summary>A file of a store that is used as SQLite does it: by the functions of its table.</summary>
internal sealed unsafe class NativeFile : IDisposable
{
    private readonly FileLayout* _file;

    public NativeFile(FileLayout* file) => _file = file;

    public int Read(Span<byte> buffer, long offset)
    {
        fixed (byte* bytes = buffer)
        {
            return _file->Methods->Read(_file, bytes, buffer.Length, offset);
        }
    }

    public int Write(ReadOnlySpan<byte> source, long offset)
    {
        fixed (byte* bytes = source)
        {
            return _file->Methods->Write(_file, bytes, source.Length, offset);
        }
    }

    public int Truncate(long length) => _file->Methods->Truncate(_file, length);

    public int Sync() => _file->Methods->Sync(_file, 2);

    public int Control(int operation, long argument) => _file->Methods->Control(_file, operation, &argument);

    public int MapShared(int index, int size)
    {
        nint address;
        return _file->Methods->MapShared(_file, index, size, 1, &address);
    }

    public int LockShared(int first, int count, int flags) => _file->Methods->LockShared(_file, first, count, flags);

    public int Fetch(long offset, int count, out nint address)
    {
        nint found;
        var code = _file->Methods->Fetch(_file, offset, count, &found);
        address = found;
        return code;
    }

    public int Unfetch(long offset, nint address) => _file->Methods->Unfetch(_file, offset, address);

    public int Close() => _file->Methods is null ? ResultCode.Ok : _file->Methods->Close(_file);

    public void Dispose()
    {
        Close();
        NativeMemory.Free(_file);
    }
}
