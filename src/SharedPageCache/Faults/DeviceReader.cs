using SharedPageCache.Memory;

namespace SharedPageCache.Faults;

/// <summary>
/// Reads exactly what was asked from a device: continues short reads, reads whole blocks where a page is smaller than a
/// block, and turns every way of failing into an exception. The buffers hold foreign bytes until it returns normally.
/// </summary>
internal sealed class DeviceReader(FaultCounters counters)
{
    /// <summary>Reads a run into buffers whose lengths add up to the run's.</summary>
    /// <param name="device">The device.</param>
    /// <param name="run">The run, page-aligned but perhaps not block-aligned, or none for an opaque extent.</param>
    /// <param name="origin">The file and offset that the run is read for.</param>
    /// <param name="buffers">Where the bytes go.</param>
    /// <param name="blocking">Whether to block the thread instead of awaiting.</param>
    /// <exception cref="IOException">The device read less than was asked and made no progress.</exception>
    public async ValueTask ReadAsync(
        IBlockDevice device, BlockRun run, BlockOrigin origin, Memory<byte>[] buffers, bool blocking)
    {
        var block = device.BlockSize;
        var length = buffers.Sum(static buffer => (long)buffer.Length);
        var head = run.IsSome ? (int)(run.Offset & (block - 1)) : (int)(origin.FileOffset & (block - 1));
        var whole = (head + length + block - 1) / block * block;
        if (head == 0 && whole == length && buffers.All(buffer => (buffer.Length & (block - 1)) == 0))
        {
            await ReadWholeAsync(device, run, origin, buffers, length, blocking).ConfigureAwait(false);
            return;
        }

        // The page is smaller than the block: the whole blocks go to a bounce buffer, the bytes asked for to the frames.
        var bounce = new AlignedBuffer((int)whole);
        var aligned = run.IsSome ? new BlockRun(run.Offset - head, whole) : BlockRun.None;
        await ReadWholeAsync(device, aligned, origin with { FileOffset = origin.FileOffset - head }, [bounce.Memory], whole, blocking)
            .ConfigureAwait(false);
        var position = head;
        foreach (var buffer in buffers)
        {
            bounce.Memory.Slice(position, buffer.Length).CopyTo(buffer);
            position += buffer.Length;
        }
    }

    private async ValueTask ReadWholeAsync(
        IBlockDevice device, BlockRun run, BlockOrigin origin, Memory<byte>[] buffers, long length, bool blocking)
    {
        long done = 0;
        while (done < length)
        {
            var rest = done == 0 ? buffers : Rest(buffers, done);
            var part = run.IsSome ? new BlockRun(run.Offset + done, length - done) : BlockRun.None;
            var from = origin with { FileOffset = origin.FileOffset + done };
            counters.DeviceReads.Increment();
            var read = blocking
                ? device.Read(part, from, rest)
                : await device.ReadAsync(part, from, rest, CancellationToken.None).ConfigureAwait(false);
            if (read < 0 || read > length - done)
            {
                throw new IOException($"the device says that it read {read} of {length - done} bytes.");
            }

            // A tail that is no whole block is read again with the rest.
            var progress = read == length - done ? read : read & ~(device.BlockSize - 1);
            if (progress == 0)
            {
                throw new IOException($"the device read {done + read} of {length} bytes.");
            }

            done += progress;
        }
    }

    private static Memory<byte>[] Rest(Memory<byte>[] buffers, long done)
    {
        var rest = new List<Memory<byte>>(buffers.Length);
        foreach (var buffer in buffers)
        {
            if (done >= buffer.Length)
            {
                done -= buffer.Length;
                continue;
            }

            rest.Add(buffer[(int)done..]);
            done = 0;
        }

        return [.. rest];
    }
}
