namespace SharedPageCache.Reflink;

/// <summary>A run of the volume and the place of a file that shows it.</summary>
/// <param name="PhysicalOffset">First byte on the volume.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="FileOffset">First byte in the file.</param>
internal readonly record struct VolumePiece(long PhysicalOffset, long Length, long FileOffset)
{
    /// <summary>The first address after the run.</summary>
    public long End => PhysicalOffset + Length;

    /// <summary>What pieces have of addresses that others do not have.</summary>
    /// <param name="pieces">Pieces, ascending and disjoint.</param>
    /// <param name="others">Other pieces, ascending and disjoint.</param>
    public static List<VolumePiece> Subtract(IReadOnlyList<VolumePiece> pieces, IReadOnlyList<VolumePiece> others)
    {
        var rest = new List<VolumePiece>();
        var next = 0;
        foreach (var piece in pieces)
        {
            var at = piece.PhysicalOffset;
            while (next < others.Count && others[next].End <= at)
            {
                next++;
            }

            for (var i = next; i < others.Count && others[i].PhysicalOffset < piece.End; i++)
            {
                if (at < others[i].PhysicalOffset)
                {
                    rest.Add(piece.Part(at, others[i].PhysicalOffset));
                }

                at = Math.Max(at, others[i].End);
            }

            if (at < piece.End)
            {
                rest.Add(piece.Part(at, piece.End));
            }
        }

        return rest;
    }

    private VolumePiece Part(long start, long end) => new(start, end - start, FileOffset + (start - PhysicalOffset));
}
