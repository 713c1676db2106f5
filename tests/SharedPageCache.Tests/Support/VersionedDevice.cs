namespace SharedPageCache.Tests.Support;

/// <summary>
/// A device whose blocks change: every word names its block and the version that the whole block has, so one look at a
/// page tells torn, foreign and old. A read of one block sees one version.
/// </summary>
public sealed class VersionedDevice(int blocks, int blockSize = 512) : IBlockDevice
{
    private readonly int[] _versions = new int[blocks];

    public int BlockSize => blockSize;

    public long Length => (long)blocks * blockSize;

    public int VersionOf(int block) => Volatile.Read(ref _versions[block]);

    /// <summary>Overwrites a block.</summary>
    public void Advance(int block) => Interlocked.Increment(ref _versions[block]);

    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        var block = (int)(run.Offset / blockSize);
        foreach (var buffer in buffers)
        {
            for (var start = 0; start < buffer.Length; start += blockSize, block++)
            {
                var version = VersionOf(block);
                for (var i = 0; i < blockSize; i += 8)
                {
                    BitConverter.TryWriteBytes(buffer.Span[(start + i)..], Word(block, version, i));
                }
            }
        }

        return new ValueTask<int>((int)run.Length);
    }

    /// <summary>The version of a page that shows a block, if all its words agree; what is wrong otherwise.</summary>
    public int Check(ReadOnlySpan<byte> page, int block)
    {
        var version = (int)(BitConverter.ToUInt64(page) >> 32);
        for (var i = 0; i < blockSize; i += 8)
        {
            var word = BitConverter.ToUInt64(page[i..]);
            Assert.True(word == Word(block, version, i), $"word {i / 8} of block {block} in version {version} is {word:x16}");
        }

        return version;
    }

    private static ulong Word(int block, int version, int i) => (ulong)version << 32 | (uint)block << 8 | (uint)(i / 8) & 0xFF;
}
