using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Reflink.Native;

/// <summary>FIEMAP: asks a file system which blocks hold a file.</summary>
internal static unsafe class ExtentQuery
{
    private const uint Request = 0xC020660B;    // FS_IOC_FIEMAP
    private const uint FlagSync = 1;            // write the file's dirty pages back first
    private const int HeaderSize = 32;
    private const int ExtentSize = 56;

    /// <summary>How many extents one call asks for: 14 KiB of answer.</summary>
    public const int DefaultBatch = 256;

    /// <summary>Reads the extents of a range of an open file, in ascending order.</summary>
    /// <param name="file">The file.</param>
    /// <param name="path">Its path, for messages.</param>
    /// <param name="offset">First byte of the range.</param>
    /// <param name="length">Length in bytes; <see cref="long.MaxValue"/> for all the rest of the file.</param>
    /// <param name="sync">Whether dirty pages are written back first, so that their blocks are known.</param>
    /// <param name="batch">Extents a call.</param>
    /// <exception cref="NotSupportedException">The file system has no FIEMAP.</exception>
    /// <exception cref="IOException">The call failed, or its answer does not ascend.</exception>
    public static List<PhysicalExtent> Read(
        SafeFileHandle file, string path, long offset, long length, bool sync, int batch = DefaultBatch)
    {
        var extents = new List<PhysicalExtent>();
        var end = length > long.MaxValue - offset ? long.MaxValue : offset + length;
        var buffer = (byte*)NativeMemory.Alloc((nuint)(HeaderSize + batch * ExtentSize));
        try
        {
            while (offset < end)
            {
                if (!ReadBatch(file, path, (ulong)offset, (ulong)(end - offset), sync, batch, buffer, extents))
                {
                    break;
                }

                sync = false;
                offset = extents[^1].FileOffset + extents[^1].Length;
            }
        }
        finally
        {
            NativeMemory.Free(buffer);
        }

        return extents;
    }

    /// <summary>Reads one buffer full.</summary>
    /// <returns>Whether there may be more.</returns>
    private static bool ReadBatch(
        SafeFileHandle file, string path, ulong offset, ulong length, bool sync, int batch, byte* buffer, List<PhysicalExtent> extents)
    {
        var header = (Header*)buffer;
        *header = new Header { Start = offset, Length = length, Flags = sync ? FlagSync : 0, Capacity = (uint)batch };
        if (LibC.ioctl(file, Request, buffer) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            throw error is LibC.NotSupported or LibC.NotATypewriter
                ? new NotSupportedException($"The file system of '{path}' cannot say which blocks hold a file (no FIEMAP).")
                : LibC.Error("FIEMAP", path, error);
        }

        var answers = (Answer*)(buffer + HeaderSize);
        for (var i = 0; i < header->Mapped; i++)
        {
            var extent = ToExtent(answers[i], path);
            if (extents.Count > 0 && extent.FileOffset < extents[^1].FileOffset + extents[^1].Length)
            {
                throw new IOException(
                    $"FIEMAP of '{path}' answered with extents that do not ascend: {extents[^1]}, then {extent}.");
            }

            extents.Add(extent);
        }

        return header->Mapped != 0 && (extents[^1].Flags & PhysicalExtentFlags.Last) == 0;
    }

    private static PhysicalExtent ToExtent(Answer answer, string path)
    {
        if (answer.Length == 0 || answer.Length > long.MaxValue || answer.Logical > long.MaxValue - answer.Length
            || answer.Physical > long.MaxValue - answer.Length)
        {
            throw new IOException(
                $"FIEMAP of '{path}' answered with an impossible extent: file offset {answer.Logical}, physical offset "
                + $"{answer.Physical}, length {answer.Length}.");
        }

        return new PhysicalExtent(
            (long)answer.Logical, (long)answer.Length, (long)answer.Physical, (PhysicalExtentFlags)answer.Flags);
    }

    /// <summary>struct fiemap without its array.</summary>
    [StructLayout(LayoutKind.Explicit, Size = HeaderSize)]
    private struct Header
    {
        [FieldOffset(0)] public ulong Start;
        [FieldOffset(8)] public ulong Length;
        [FieldOffset(16)] public uint Flags;
        [FieldOffset(20)] public uint Mapped;
        [FieldOffset(24)] public uint Capacity;
    }

    /// <summary>struct fiemap_extent.</summary>
    [StructLayout(LayoutKind.Explicit, Size = ExtentSize)]
    private struct Answer
    {
        [FieldOffset(0)] public ulong Logical;
        [FieldOffset(8)] public ulong Physical;
        [FieldOffset(16)] public ulong Length;
        [FieldOffset(40)] public uint Flags;
    }
}
