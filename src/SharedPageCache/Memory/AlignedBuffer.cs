namespace SharedPageCache.Memory;

/// <summary>A buffer of native memory that is aligned for unbuffered I/O.</summary>
internal sealed unsafe class AlignedBuffer
{
    /// <summary>Enough for any disk, whose logical blocks are smaller than this.</summary>
    private const int Alignment = 64 << 10;

    private readonly ArenaWindow _window;

    public AlignedBuffer(int length)
    {
        var block = new NativeBlock((nuint)length, Alignment);
        _window = new ArenaWindow(block, block.Pointer, length);
    }

    public Memory<byte> Memory => _window.Memory;
}
