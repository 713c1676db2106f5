using System.Numerics;

namespace SharedPageCache.Tests.Support;

/// <summary>What tests ask of a mapped file again and again.</summary>
public static class Files
{
    /// <summary>Reads the whole file.</summary>
    public static byte[] ReadAll(this MappedFile file)
    {
        var buffer = new byte[file.Length];
        Assert.Equal(file.Length, file.Read(0, buffer));
        return buffer;
    }

    /// <summary>Reads some bytes.</summary>
    public static byte[] ReadAt(this MappedFile file, long offset, int count)
    {
        var buffer = new byte[count];
        return buffer[..file.Read(offset, buffer)];
    }

    public static ulong ReadWord(this MappedFile file, long offset) => BitConverter.ToUInt64(file.ReadAt(offset, 8));

    /// <summary>Whether the page at an offset is in memory through this file.</summary>
    public static bool IsResident(this MappedFile file, long offset) => file.TryRead(offset, new byte[1], out _);

    /// <summary>The frame that shows the page at an offset now; none if it is not resident or reads zero.</summary>
    public static FrameIndex FrameAt(this MappedFile file, long offset)
    {
        if (!file.TryPin(offset, out var lease))
        {
            return FrameIndex.None;
        }

        using (lease)
        {
            return lease.Frame;
        }
    }

    public static void AssertSame(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var same = expected.CommonPrefixLength(actual);
        Assert.True(same == expected.Length, $"the bytes differ from {same} on");
    }

    /// <summary>The result of a call that must have completed when it returned.</summary>
    public static T AtOnce<T>(ValueTask<T> call)
    {
        Assert.True(call.IsCompletedSuccessfully);
        return call.Result;
    }

    /// <summary>The largest power of two that divides an address.</summary>
    public static long AlignmentOf(nuint address) => 1L << BitOperations.TrailingZeroCount(address);
}
