using System.Buffers;

namespace SharedPageCache.Memory;

/// <summary>A stretch of an arena as <see cref="Memory{T}"/>. The memory does not move, so pinning it is free.</summary>
internal sealed unsafe class ArenaWindow(object owner, byte* pointer, int length) : MemoryManager<byte>
{
    /// <summary>Keeps the mapping alive as long as any memory over it.</summary>
    private readonly object _owner = owner;

    public override Span<byte> GetSpan() => new(pointer, length);

    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)length);
        return new MemoryHandle(pointer + elementIndex, default, this);
    }

    public override void Unpin() => GC.KeepAlive(_owner);

    protected override void Dispose(bool disposing)
    {
        // The arena owns the memory.
    }
}
