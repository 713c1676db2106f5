using SharedPageCache.Cow.Native;

namespace SharedPageCache.Cow.Disk;

/// <summary>Reads and writes whole blocks of metadata on the device of the volume.</summary>
internal sealed class BlockStore(IBlockDevice device)
{
    public IBlockDevice Device => device;

    public int BlockSize => device.BlockSize;

    /// <summary>Reads bytes of the device, whole blocks.</summary>
    public void Read(long offset, Memory<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            var read = device.Read(new BlockRun(offset, buffer.Length), default, [buffer]);
            if (read <= 0 || read > buffer.Length || read % BlockSize != 0)
            {
                throw new IOException($"The device read {read} bytes at {offset} where {buffer.Length} were asked for.");
            }

            offset += read;
            buffer = buffer[read..];
        }
    }

    /// <summary>Writes bytes of the device, whole blocks.</summary>
    public async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            var written = await device.WriteAsync(
                new BlockRun(offset, buffer.Length), default, [buffer], CancellationToken.None).ConfigureAwait(false);
            if (written <= 0 || written > buffer.Length || written % BlockSize != 0)
            {
                throw new IOException($"The device wrote {written} bytes at {offset} where {buffer.Length} were given.");
            }

            offset += written;
            buffer = buffer[written..];
        }
    }

    public ValueTask FlushAsync() => device.FlushAsync(CancellationToken.None);

    /// <summary>Writes a superblock into a slot and makes it durable.</summary>
    public async ValueTask WriteAsync(Superblock superblock, int slot)
    {
        using var memory = new AlignedMemory(BlockSize);
        superblock.Encode(memory.GetSpan());
        await WriteAsync(Superblock.SlotOffset(slot), memory.Memory).ConfigureAwait(false);
        await FlushAsync().ConfigureAwait(false);
    }

    /// <summary>Reads the superblock of a slot; null with the reason if what is there is none.</summary>
    /// <exception cref="IOException">
    /// The device failed. That says nothing about what is there: who took the other superblock then would go back behind what
    /// was acknowledged.
    /// </exception>
    public Superblock? ReadSuperblock(int slot, out string reason)
    {
        using var memory = new AlignedMemory(BlockSize);
        Read(Superblock.SlotOffset(slot), memory.Memory);
        var found = Superblock.Decode(memory.GetSpan(), out reason);
        if (found is not null && found.BlockSize != BlockSize)
        {
            reason = $"its block size is {found.BlockSize}, and the device's is {BlockSize}";
            return null;
        }

        return found;
    }
}
