using SharedPageCache.Cow.Disk;
using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow;

/// <summary>What happens before a volume can be used: the file and its lock, the newest state, the recovery.</summary>
internal static class VolumeOpening
{
    /// <summary>Makes the file of a new volume. It must not exist.</summary>
    public static FileBlockDevice CreateFile(string path, CowVolumeOptions options)
    {
        CheckSize(options.BlockSize, options.CapacityBytes);
        using (var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
        {
            RandomAccess.SetLength(handle, options.CapacityBytes / options.BlockSize * options.BlockSize);
        }

        return OpenDevice(path, options.BlockSize, options.DirectIO);
    }

    /// <summary>Opens the file of a volume, whose block size is learnt from its superblocks.</summary>
    public static FileBlockDevice OpenFile(string path, CowVolumeOptions options)
    {
        int blockSize;
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            blockSize = FindBlockSize(handle);
        }
        catch (IOException error) when (IsSharingViolation(error))
        {
            throw new VolumeLockedException(path, error);
        }

        return OpenDevice(path, blockSize, options.DirectIO);
    }

    /// <summary>Writes an empty volume.</summary>
    public static Superblock Format(BlockStore store)
    {
        CheckSize(store.BlockSize, store.Device.Length);
        var empty = new Superblock(
            store.BlockSize, 1, VolumeId.NewId(), store.Device.Length / store.BlockSize, NextFile: 1, 0, 0, 0);
        for (var slot = 0; slot < Superblock.Slots; slot++)
        {
            Wait(store.WriteAsync(empty, slot));
        }

        return empty;
    }

    /// <summary>
    /// Finds the newest state, reads it, and writes its superblock into the other slot too: then both tell the same, and
    /// all that this state does not lead to may be used.
    /// </summary>
    /// <remarks>
    /// A superblock that is damaged is taken for one that was being written when the power failed, and the other one
    /// counts. A device that fails to read one is another matter: it may be the newest. Damage below a good superblock is another matter: it was durable before its superblock was
    /// written. Going back to the older state would silently undo what was acknowledged, so it is an error.
    /// </remarks>
    public static (Superblock Superblock, TreeLoader Loaded) Recover(BlockStore store, TreeShape shape)
    {
        Superblock? newest = null;
        var newestSlot = 0;
        var reasons = new string[Superblock.Slots];
        for (var slot = 0; slot < Superblock.Slots; slot++)
        {
            if (store.Device.Length >= Superblock.FirstByte
                && store.ReadSuperblock(slot, out reasons[slot]) is { } found && found.Generation > (newest?.Generation ?? 0))
            {
                (newest, newestSlot) = (found, slot);
            }
        }

        if (newest is null)
        {
            throw new VolumeCorruptException($"neither superblock can be used; of the first: {reasons[0]}; of the second: {reasons[1]}");
        }

        if (newest.TotalBlocks > store.Device.Length / store.BlockSize)
        {
            throw new VolumeCorruptException(
                $"it has {newest.TotalBlocks} blocks, and the device only {store.Device.Length / store.BlockSize}");
        }

        var loader = new TreeLoader(store, shape, newest, static fault => throw new VolumeCorruptException(fault));
        try
        {
            loader.Load();
            Wait(store.WriteAsync(newest, 1 - newestSlot));
        }
        catch
        {
            loader.Dispose();
            throw;
        }

        return (newest, loader);
    }

    private static FileBlockDevice OpenDevice(string path, int blockSize, bool direct)
    {
        try
        {
            return FileBlockDevice.Open(path, new FileBlockDeviceOptions
            {
                BlockSize = blockSize,
                DirectIO = direct,
                Writable = true,
                Exclusive = true,
            });
        }
        catch (IOException error) when (IsSharingViolation(error))
        {
            throw new VolumeLockedException(path, error);
        }
    }

    /// <summary>Read before the lock is held, so only a first word: the superblocks are read again under it.</summary>
    private static int FindBlockSize(Microsoft.Win32.SafeHandles.SafeFileHandle handle)
    {
        var bytes = new byte[Superblock.Bytes];
        var reason = "the file is too short";
        for (var slot = 0; slot < Superblock.Slots; slot++)
        {
            if (RandomAccess.Read(handle, bytes, Superblock.SlotOffset(slot)) == bytes.Length
                && Superblock.Decode(bytes, out reason) is { } found)
            {
                return found.BlockSize;
            }
        }

        throw new VolumeCorruptException($"neither superblock can be used: {reason}");
    }

    private static void CheckSize(int blockSize, long capacity)
    {
        if (!CowVolumeOptions.IsBlockSize(blockSize))
        {
            throw new ArgumentOutOfRangeException(
                nameof(blockSize), blockSize,
                $"The block size must be a power of two from {PageCacheOptions.MinPageSize} to {PageCacheOptions.MaxPageSize}.");
        }

        var least = Superblock.FirstByte + (64L * blockSize);
        if (capacity < least)
        {
            throw new ArgumentOutOfRangeException(
                nameof(capacity), capacity, $"A volume with blocks of {blockSize} bytes needs at least {least} bytes.");
        }
    }

    /// <summary>EWOULDBLOCK of flock on Linux and macOS, ERROR_SHARING_VIOLATION on Windows.</summary>
    private static bool IsSharingViolation(IOException error) =>
        error.HResult is 11 or 35 or unchecked((int)0x80070020);

    /// <summary>Opening is synchronous, like opening a file.</summary>
    private static void Wait(ValueTask task) => task.AsTask().GetAwaiter().GetResult();
}
