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
        if (Prepare(buffers))
        {
            return (int)RandomAccess.Read(file, buffers, offset);
        }

        using var copy = MakeCopy(buffers);
        var read = RandomAccess.Read(file, copy.GetSpan(), offset);
        buffers.CopyFrom(copy.GetSpan()[..read]);
        return read;
    }

    /// <summary>The asynchronous twin of <see cref="Read"/>.</summary>
    public async ValueTask<int> ReadAsync(
        IReadOnlyList<Memory<byte>> buffers, long offset, CancellationToken cancellationToken)
    {
        if (Prepare(buffers))
        {
            return (int)await RandomAccess.ReadAsync(file, buffers, offset, cancellationToken).ConfigureAwait(false);
        }

        using var copy = MakeCopy(buffers);
        var read = await RandomAccess.ReadAsync(file, copy.Memory, offset, cancellationToken).ConfigureAwait(false);
        buffers.CopyFrom(copy.GetSpan()[..read]);
        return read;
    }

    /// <summary>Makes the buffers ready for an unbuffered read.</summary>
    /// <returns>Whether they can take one as they are.</returns>
    private bool Prepare(IReadOnlyList<Memory<byte>> buffers)
    {
        for (var i = 0; i < buffers.Count; i++)
        {
            var buffer = buffers[i].Span;
            if (!AlignedMemory.IsAligned(buffer, memoryAlignment))
            {
                return false;
            }

            AlignedMemory.Touch(buffer);
        }

        return true;
    }

    private AlignedMemory MakeCopy(IReadOnlyList<Memory<byte>> buffers)
    {
        var copy = new AlignedMemory(buffers.TotalLength(), Math.Max(memoryAlignment, Environment.SystemPageSize));
        AlignedMemory.Touch(copy.GetSpan());
        return copy;
    }
}
