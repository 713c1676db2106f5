using SharedPageCache.Mappings;
using SharedPageCache.Memory;

namespace SharedPageCache.Writeback;

/// <summary>Writes exactly what was asked to a device: continues short writes, seals copies, never the cached bytes.</summary>
internal sealed class DeviceWriter(WritebackCounters counters, int pageSize)
{
    /// <summary>Writes pages to a run.</summary>
    /// <param name="volume">The volume: its device, and its seal if it has one.</param>
    /// <param name="placed">The run, as long as the pages together.</param>
    /// <param name="origin">A file and offset that show the run.</param>
    /// <param name="pages">The pages, frozen.</param>
    /// <exception cref="IOException">The device wrote less than was asked and made no progress.</exception>
    public async Task WriteAsync(VolumeMap volume, PlacedRun placed, BlockOrigin origin, ReadOnlyMemory<byte>[] pages)
    {
        var buffers = volume.Seal is { } seal ? Sealed(volume, seal, placed, pages) : pages;
        await WriteAsync(volume.Device, placed.Blocks, origin, buffers).ConfigureAwait(false);
        counters.PagesWritten.Add(pages.Length);
    }

    /// <summary>Writes bytes to a run as they are.</summary>
    /// <inheritdoc cref="WriteAsync(VolumeMap, PlacedRun, BlockOrigin, ReadOnlyMemory{byte}[])" path="/exception"/>
    public async Task WriteAsync(IBlockDevice device, BlockRun run, BlockOrigin origin, ReadOnlyMemory<byte>[] buffers)
    {
        long done = 0;
        while (done < run.Length)
        {
            var part = new BlockRun(run.Offset + done, run.Length - done);
            counters.DeviceWrites.Increment();
            var written = await device
                .WriteAsync(part, origin with { FileOffset = origin.FileOffset + done }, Rest(buffers, done), CancellationToken.None)
                .ConfigureAwait(false);
            if (written < 0 || written > part.Length)
            {
                throw new IOException($"the device says that it wrote {written} of {part.Length} bytes.");
            }

            var progress = written == part.Length ? written : written & ~(device.BlockSize - 1);
            if (progress == 0)
            {
                throw new IOException($"the device wrote {done + written} of {run.Length} bytes.");
            }

            done += progress;
        }
    }

    private ReadOnlyMemory<byte>[] Sealed(VolumeMap volume, IPageSeal seal, PlacedRun placed, ReadOnlyMemory<byte>[] pages)
    {
        var bounce = new AlignedBuffer((int)placed.Blocks.Length);
        var first = placed.Blocks.Offset / pageSize;
        for (var i = 0; i < pages.Length; i++)
        {
            var copy = bounce.Memory.Slice(i * pageSize, pageSize);
            pages[i].CopyTo(copy);
            seal.Seal(new PhysicalBlock(volume.Id, first + i, placed.Generation), copy.Span);
        }

        return [bounce.Memory];
    }

    private static ReadOnlyMemory<byte>[] Rest(ReadOnlyMemory<byte>[] buffers, long done)
    {
        if (done == 0)
        {
            return buffers;
        }

        var rest = new List<ReadOnlyMemory<byte>>(buffers.Length);
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
