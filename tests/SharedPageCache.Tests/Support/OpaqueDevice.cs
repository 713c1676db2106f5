using System.Runtime.CompilerServices;

namespace SharedPageCache.Tests.Support;

/// <summary>A device whose bytes have no address: each is known by the file and offset it is read for.</summary>
public sealed class OpaqueDevice : IBlockDevice
{
    private int _reads;

    public int BlockSize => 4096;

    public long Length => 0;

    public int Reads => Volatile.Read(ref _reads);

    public static ulong Word(IExtentMap file, long offset) =>
        MemoryDevice.Word(offset, RuntimeHelpers.GetHashCode(file) & 0x7FFF);

    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        Assert.False(run.IsSome);
        Interlocked.Increment(ref _reads);
        var offset = origin.FileOffset;
        foreach (var buffer in buffers)
        {
            for (var i = 0; i < buffer.Length; i += 8)
            {
                BitConverter.TryWriteBytes(buffer.Span[i..], Word(origin.File, offset + i));
            }

            offset += buffer.Length;
        }

        return new ValueTask<int>((int)(offset - origin.FileOffset));
    }
}
