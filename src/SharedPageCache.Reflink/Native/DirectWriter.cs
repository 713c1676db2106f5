using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Reflink.Native;

/// <summary>
/// Writes whole blocks around the kernel's page cache, and what a file has of its last block through it: so a file is never
/// longer than it shall be, not for a moment and not after a crash.
/// </summary>
/// <param name="direct">A file that is set to unbuffered writes.</param>
/// <param name="buffered">Gives the same file for buffered ones.</param>
/// <param name="memoryAlignment">What address and length of each buffer must be a multiple of.</param>
/// <param name="blockSize">The file system's block size.</param>
internal readonly struct DirectWriter(SafeFileHandle direct, Func<SafeFileHandle> buffered, int memoryAlignment, int blockSize)
{
    /// <summary>Writes the first bytes of a list of buffers.</summary>
    /// <param name="buffers">The bytes.</param>
    /// <param name="offset">Where they go, a multiple of the block size.</param>
    /// <param name="length">How many of them.</param>
    public async ValueTask WriteAsync(IReadOnlyList<ReadOnlyMemory<byte>> buffers, long offset, long length)
    {
        var whole = length & -blockSize;
        if (whole > 0)
        {
            await WriteWholeAsync(buffers.Part(0, whole), offset).ConfigureAwait(false);
        }

        if (length > whole)
        {
            await RandomAccess.WriteAsync(buffered(), buffers.Part(whole, length), offset + whole).ConfigureAwait(false);
        }
    }

    private async ValueTask WriteWholeAsync(List<ReadOnlyMemory<byte>> buffers, long offset)
    {
        var alignment = memoryAlignment;
        if (buffers.TrueForAll(buffer => AlignedMemory.IsAligned(buffer.Span, alignment)))
        {
            await RandomAccess.WriteAsync(direct, buffers, offset).ConfigureAwait(false);
            return;
        }

        using var copy = new AlignedMemory(buffers.Sum(static buffer => buffer.Length), Math.Max(alignment, Environment.SystemPageSize));
        var rest = copy.Memory;
        foreach (var buffer in buffers)
        {
            buffer.CopyTo(rest);
            rest = rest[buffer.Length..];
        }

        await RandomAccess.WriteAsync(direct, copy.Memory, offset).ConfigureAwait(false);
    }
}
