using System.Runtime.InteropServices;

namespace SharedPageCache.Memory;

/// <summary>
/// An aligned, zeroed block of native memory that lives until nothing refers to it. It is never freed by hand: readers
/// that hold no pin cannot be counted, so only unreachability proves that nobody reads any more.
/// </summary>
internal sealed unsafe class NativeBlock : SafeHandle
{
    public NativeBlock(nuint length, nuint alignment)
        : base(0, ownsHandle: true)
    {
        // The allocator maps fresh zero pages for large blocks; clearing them again would commit every page at once.
        var pointer = NativeMemory.AlignedAlloc(length, alignment);
        if (length < MappedThreshold)
        {
            NativeMemory.Clear(pointer, length);
        }
        else if (OperatingSystem.IsLinux())
        {
            var first = (nint)pointer + SystemPage - 1 & ~(SystemPage - 1);
            var last = (nint)pointer + (nint)length & ~(SystemPage - 1);
            Platform.Decommit(first, (nuint)(last - first));
            new Span<byte>(pointer, (int)(first - (nint)pointer)).Clear();
            new Span<byte>((void*)last, (int)((nint)pointer + (nint)length - last)).Clear();
        }
        else
        {
            NativeMemory.Clear(pointer, length);
        }

        SetHandle((nint)pointer);
        Length = length;
        GC.AddMemoryPressure((long)length);
    }

    private static nint SystemPage => Environment.SystemPageSize;

    private const nuint MappedThreshold = 1 << 20;

    public nuint Length { get; }

    public byte* Pointer => (byte*)handle;

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        GC.RemoveMemoryPressure((long)Length);
        return true;
    }
}
