using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Reflink.Native;

/// <summary>Reads around the kernel's page cache, by way of an aligned copy where the caller's buffers are not aligned.</summary>
/// <param name="file">A file that is set to unbuffered reads.</param>
/// <param name="memoryAlignment">What address and length of each buffer must be a multiple of.</param>
internal readonly struct DirectReader(SafeFileHandle file, int memoryAlignment)
{
    /// <summary>Reads and blocks the calling thread.</summary>
    /// <returns>The number of bytes read; fewer than asked at the end of the file.</returns>
    public int Read(IReadOnlyList<Memory<byte>> buffers, long offset)
    {
        if (IsAligned(buffers))
        {
            return (int)RandomAccess.Read(file, buffers, offset);
        }

        using var copy = new AlignedMemory(buffers.TotalLength(), Alignment);
        var read = RandomAccess.Read(file, copy.GetSpan(), offset);
        buffers.CopyFrom(copy.GetSpan()[..read]);
        return read;
    }

    /// <summary>The asynchronous twin of <see cref="Read"/>.</summary>
    public async ValueTask<int> ReadAsync(
        IReadOnlyList<Memory<byte>> buffers, long offset, CancellationToken cancellationToken)
    {
        if (IsAligned(buffers))
        {
            return (int)await RandomAccess.ReadAsync(file, buffers, offset, cancellationToken).ConfigureAwait(false);
        }

        using var copy = new AlignedMemory(buffers.TotalLength(), Alignment);
        var read = await RandomAccess.ReadAsync(file, copy.Memory, offset, cancellationToken).ConfigureAwait(false);
        buffers.CopyFrom(copy.GetSpan()[..read]);
        return read;
    }

    private int Alignment => Math.Max(memoryAlignment, Environment.SystemPageSize);

    private bool IsAligned(IReadOnlyList<Memory<byte>> buffers)
    {
        for (var i = 0; i < buffers.Count; i++)
        {
            if (!AlignedMemory.IsAligned(buffers[i].Span, memoryAlignment))
            {
                return false;
            }
        }

        return true;
    }
}
