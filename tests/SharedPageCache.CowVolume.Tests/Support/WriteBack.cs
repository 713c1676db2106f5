using System.Buffers;
using SharedPageCache.Cow.Native;

namespace SharedPageCache.Cow.Tests.Support;

/// <summary>Plays the cache's part: place, write, flush, publish, persist, and reads through the extents.</summary>
internal static class WriteBack
{
    /// <summary>Writes whole blocks of a file, which grows if it must.</summary>
    public static Task WriteAsync(this CowVolume volume, CowFile file, long offset, byte[] bytes) =>
        volume.WriteSharedAsync(bytes, new RunOwner(file, offset));

    /// <summary>Writes blocks that several places show.</summary>
    public static async Task WriteSharedAsync(this CowVolume volume, byte[] bytes, params RunOwner[] owners)
    {
        var runs = await volume.PlaceAsync(bytes.Length);
        var done = 0;
        foreach (var run in runs)
        {
            await volume.WriteRunAsync(run, bytes.AsMemory(done, (int)run.Length));
            done += (int)run.Length;
        }

        await volume.BlockDevice.FlushAsync(default);
        foreach (var owner in owners)
        {
            var file = (CowFile)owner.File;
            if (file.Length < owner.FileOffset + bytes.Length)
            {
                file.SetLength(owner.FileOffset + bytes.Length);
            }
        }

        done = 0;
        foreach (var run in runs)
        {
            volume.Placement.Publish(run, [.. owners.Select(owner => owner with { FileOffset = owner.FileOffset + done })]);
            done += (int)run.Length;
        }
    }

    public static async Task<List<BlockRun>> PlaceAsync(this CowVolume volume, long length, BlockRun? replaces = null)
    {
        var placed = new ArrayBufferWriter<PlacedRun>();
        await volume.Placement.PlaceAsync(new[] { new DirtyRun(length, replaces ?? BlockRun.None, default) }, placed, default);
        return [.. placed.WrittenSpan.ToArray().Select(run => run.Blocks)];
    }

    public static async Task WriteRunAsync(this CowVolume volume, BlockRun run, ReadOnlyMemory<byte> bytes)
    {
        // Aligned, as the cache's frames are: the device may be unbuffered.
        using var memory = new AlignedMemory(bytes.Length);
        bytes.CopyTo(memory.Memory);
        ReadOnlyMemory<byte> left = memory.Memory;
        while (left.Length > 0)
        {
            var written = await volume.BlockDevice.WriteAsync(run, default, [left], default);
            run = new BlockRun(run.Offset + written, run.Length - written);
            left = left[written..];
        }
    }

    public static List<Extent> Extents(this CowFile file, long offset = 0, long length = long.MaxValue)
    {
        var extents = new ArrayBufferWriter<Extent>();
        var answer = file.GetExtentsAsync(offset, length, extents, default);
        Assert.True(answer.IsCompletedSuccessfully, "an answer from memory");
        return [.. extents.WrittenSpan];
    }

    /// <summary>The file's bytes, holes as zeros.</summary>
    public static byte[] ReadAll(this CowVolume volume, CowFile file)
    {
        var size = volume.BlockSize;
        var bytes = new byte[(file.Length + size - 1) / size * size];
        if (bytes.Length > 0)
        {
            foreach (var extent in file.Extents(0, bytes.Length))
            {
                using var memory = new AlignedMemory((int)extent.Length);
                var read = volume.BlockDevice.Read(new BlockRun(extent.PhysicalOffset, extent.Length), default, [memory.Memory]);
                Assert.Equal(extent.Length, read);
                memory.GetSpan().CopyTo(bytes.AsSpan((int)extent.FileOffset));
            }
        }

        return bytes[..(int)file.Length];
    }

    public static void AssertClean(this CowVolume volume)
    {
        var report = volume.Check();
        Assert.True(report.IsClean, string.Join(Environment.NewLine, report.Violations));
    }

    public static byte[] Bytes(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
