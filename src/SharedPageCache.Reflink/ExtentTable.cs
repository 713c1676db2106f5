using System.Buffers;

namespace SharedPageCache.Reflink;

/// <summary>
/// Where the content of a file lies, as it was asked for once: immutable, in file order and, with a second look-up, in
/// the order of the volume.
/// </summary>
/// <remarks>
/// <para><b>What becomes what.</b></para>
/// <code>
/// FIEMAP says                                         the cache is told
/// nothing for a range                                 nothing: a hole, reads zero
/// unwritten                                           unwritten, reads zero
/// delalloc, unknown, encoded, encrypted, inline, ...  opaque: a private page, read through the file
/// any part not aligned to the file system's block     opaque
/// everything else                                     blocks, always marked shared
/// </code>
/// <para>
/// Blocks are always marked shared, whatever FIEMAP says: anybody may clone the file at any moment without touching it,
/// and two files that were asked before and after that moment must agree about their blocks.
/// </para>
/// <para>
/// The last block of a file that ends inside it has the number of its valid bytes for a generation: the kernel reads such
/// a block only up to the end of the file, so what comes back is another content than that of a longer file's block at
/// the same address. Files that end at the same byte still share it.
/// </para>
/// </remarks>
internal sealed partial class ExtentTable
{
    private readonly Extent[] _extents;
    private VolumePiece[]? _pieces;

    private ExtentTable(Extent[] extents, long length)
    {
        _extents = extents;
        Length = length;
    }

    /// <summary>The length of the file in bytes.</summary>
    public long Length { get; }

    /// <summary>
    /// The blocks that the file shows, ascending by address, each address once even if the file shows it twice. Without
    /// staged runs. Made at the first use; whoever makes it makes the same.
    /// </summary>
    public VolumePiece[] Pieces => Volatile.Read(ref _pieces) is { } known ? known : _pieces = PiecesOf(_extents);

    public IReadOnlyList<Extent> Extents => _extents;

    /// <summary>Makes the table of a file, or of a part of one, from what FIEMAP answered.</summary>
    /// <param name="raw">The answer, ascending.</param>
    /// <param name="length">The length of the file in bytes.</param>
    /// <param name="blockSize">The file system's block size in bytes, a power of two.</param>
    /// <param name="addressesCount">Whether the addresses of this file identify anything.</param>
    public static ExtentTable From(IReadOnlyList<PhysicalExtent> raw, long length, int blockSize, bool addressesCount = true)
    {
        var extents = new List<Extent>(raw.Count + 1);
        var blocksEnd = (length + blockSize - 1) & -blockSize;
        long covered = 0;
        foreach (var piece in raw)
        {
            var start = Math.Max(piece.FileOffset & -blockSize, covered);
            var end = Math.Min((piece.FileOffset + piece.Length + blockSize - 1) & -blockSize, blocksEnd);
            if (start >= end)
            {
                continue;
            }

            covered = end;
            var aligned = ((piece.FileOffset | piece.Length | piece.PhysicalOffset) & (blockSize - 1)) == 0
                && piece.PhysicalOffset <= FirstStaged - piece.Length;
            if (piece.HasAddress && piece.IsUnwritten)
            {
                Append(extents, new Extent(start, end - start, 0, ExtentFlags.Unwritten));
            }
            else if (!piece.HasAddress || !aligned || !addressesCount)
            {
                Append(extents, new Extent(start, end - start, 0, ExtentFlags.Opaque));
            }
            else
            {
                Append(extents, new Extent(start, end - start, piece.PhysicalOffset, ExtentFlags.Shared));
            }
        }

        return Finish(extents, length, blockSize);
    }

    /// <summary>Writes the extents that overlap a range.</summary>
    public void CopyTo(long offset, long length, IBufferWriter<Extent> destination)
    {
        var end = length > long.MaxValue - offset ? long.MaxValue : offset + length;
        for (var i = IndexAtOrAfter(offset); i < _extents.Length && _extents[i].FileOffset < end; i++)
        {
            destination.GetSpan(1)[0] = _extents[i];
            destination.Advance(1);
        }
    }

    /// <summary>Whether the file shows, from a file offset on, exactly the bytes of a run of the volume.</summary>
    public bool Shows(long fileOffset, BlockRun run)
    {
        var end = fileOffset + run.Length;
        var at = fileOffset;
        for (var i = IndexAtOrAfter(fileOffset); at < end; i++)
        {
            if (i == _extents.Length)
            {
                return false;
            }

            var extent = _extents[i];
            var shows = extent.FileOffset <= at && !extent.ReadsZero && !extent.IsOpaque
                && extent.PhysicalOffset + (at - extent.FileOffset) == run.Offset + (at - fileOffset);
            if (!shows)
            {
                return false;
            }

            at = extent.FileEnd;
        }

        return true;
    }

    /// <summary>Whether the file shows all bytes of a run of the volume, somewhere.</summary>
    public bool ShowsSomewhere(BlockRun run)
    {
        for (var at = run.Offset; at < run.End;)
        {
            if (FindPiece(at) is not { } piece)
            {
                return false;
            }

            at = piece.End;
        }

        return true;
    }

    /// <summary>The piece that holds an address of the volume.</summary>
    public VolumePiece? FindPiece(long physicalOffset)
    {
        var low = 0;
        var high = Pieces.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            var piece = Pieces[middle];
            if (physicalOffset < piece.PhysicalOffset)
            {
                high = middle - 1;
            }
            else if (physicalOffset >= piece.End)
            {
                low = middle + 1;
            }
            else
            {
                return piece;
            }
        }

        return null;
    }

    /// <summary>Whether both tables say the same about the same content.</summary>
    public bool SameAs(ExtentTable other) => Length == other.Length && _extents.AsSpan().SequenceEqual(other._extents);

    /// <summary>The first extent that ends after an offset.</summary>
    private int IndexAtOrAfter(long offset)
    {
        var low = 0;
        var high = _extents.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_extents[middle].FileEnd <= offset)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private static void Append(List<Extent> extents, Extent extent)
    {
        if (extent.Length == 0)
        {
            return;
        }

        if (extents.Count > 0)
        {
            var last = extents[^1];
            var continues = last.FileEnd == extent.FileOffset && last.Flags == extent.Flags
                && last.Generation == extent.Generation
                && (extent.ReadsZero || extent.IsOpaque || last.PhysicalOffset + last.Length == extent.PhysicalOffset);
            if (continues)
            {
                extents[^1] = last with { Length = last.Length + extent.Length };
                return;
            }
        }

        extents.Add(extent);
    }

    /// <summary>Sorts by address and cuts off what an earlier piece shows already.</summary>
    private static VolumePiece[] PiecesOf(Extent[] extents)
    {
        var pieces = new List<VolumePiece>(extents.Length);
        foreach (var extent in extents)
        {
            if (!extent.ReadsZero && !extent.IsOpaque && !IsStaged(extent))
            {
                pieces.Add(new VolumePiece(extent.PhysicalOffset, extent.Length, extent.FileOffset));
            }
        }

        pieces.Sort(static (a, b) => a.PhysicalOffset.CompareTo(b.PhysicalOffset));
        var kept = new List<VolumePiece>(pieces.Count);
        foreach (var piece in pieces)
        {
            var covered = kept.Count == 0 ? 0 : kept[^1].End;
            var cut = Math.Max(0, covered - piece.PhysicalOffset);
            if (cut < piece.Length)
            {
                kept.Add(new VolumePiece(piece.PhysicalOffset + cut, piece.Length - cut, piece.FileOffset + cut));
            }
        }

        return [.. kept];
    }
}
