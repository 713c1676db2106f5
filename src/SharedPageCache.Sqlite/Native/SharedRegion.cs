using System.Runtime.InteropServices;

namespace SharedPageCache.Sqlite.Native;

/// <summary>A piece of zeroed native memory that stays where it is.</summary>
internal sealed unsafe class SharedRegion(int size) : IDisposable
{
    private void* _memory = NativeMemory.AllocZeroed((nuint)size);

    public nint Address => (nint)_memory;

    public void Dispose()
    {
        NativeMemory.Free(_memory);
        _memory = null;
    }
}
