using System.Runtime.InteropServices;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Stress.WriteStorms;

/// <summary>
/// A file of the storm and what each stripe of each page may hold. The first pages are records of several pages that are
/// only written whole; in the others each worker has a stripe of its own in every page, so that many write one page.
/// </summary>
internal sealed class WrittenFile
{
    public const int Stripes = 8;

    private static long s_lastLineage;
    private readonly Cell[] _cells;
    private readonly WriteStormOptions _options;
    private long _version;

    public WrittenFile(WriteStormOptions options, MappedFile handle, FileId id, ulong[]? content)
    {
        _options = options;
        Handle = handle;
        Id = id;
        _cells = [.. Enumerable.Range(0, options.Pages * Stripes).Select(i => new Cell(content is null ? 0 : content[i]))];
    }

    /// <summary>Held shared by who uses the handle, alone by who exchanges it.</summary>
    public ReaderWriterLockSlim Use { get; } = new();

    public MappedFile Handle { get; set; }

    public FileId Id { get; }

    public PageEngine.PageFile Engine => (PageEngine.PageFile)Handle.Extents;

    public ushort Lineage { get; } = (ushort)Interlocked.Increment(ref s_lastLineage);

    public bool IsGone { get; set; }

    public int StripeBytes => _options.PageSize / Stripes;

    /// <summary>A word that no other write of the process has: the file, the page (or record), a version.</summary>
    public ulong NextWord(int page) => (ulong)Lineage << 48 | (ulong)(ushort)page << 32 | (uint)Interlocked.Increment(ref _version);

    public Cell CellAt(int page, int stripe) => _cells[page * Stripes + stripe];

    /// <summary>The cells of some stripes in a row, counted from the beginning of the file.</summary>
    public ReadOnlySpan<Cell> CellsAt(int firstStripe, int stripes) => _cells.AsSpan(firstStripe, stripes);

    /// <summary>What may be seen of some pages from now on.</summary>
    public Cell.Look[] Look(int firstPage, int pages) =>
        [.. Enumerable.Range(firstPage * Stripes, pages * Stripes).Select(i => _cells[i].Now())];

    /// <summary>Judges bytes that were read since a look: no torn stripe, nothing foreign, nothing stale.</summary>
    /// <returns>The words, one for each stripe.</returns>
    public ulong[] Judge(int firstPage, ReadOnlySpan<byte> bytes, Cell.Look[] looks, string how, int offset = 0)
    {
        var words = new ulong[looks.Length];
        for (var i = 0; i < looks.Length; i++)
        {
            var stripe = MemoryMarshal.Cast<byte, ulong>(bytes.Slice(i * StripeBytes, StripeBytes));
            words[i] = stripe[0];
            var (page, index) = (firstPage + i / Stripes, i % Stripes);
            if (stripe.ContainsAnyExcept(stripe[0]))
            {
                throw new WriteStormFailure($"{how}: stripe {index} of page {page} of {this} is torn: {string.Join(' ', stripe.ToArray().Select(static word => $"{word:x}"))}");
            }

            if (!CellAt(page, index).Accepts(looks[i], stripe[0]))
            {
                throw new WriteStormFailure(
                    $"{how}: stripe {index} of page {page} of {this} holds {stripe[0]:x}, which may be {string.Join(" or ", looks[i].Live.Select(static change => change.ToString()))}");
            }
        }

        return words;
    }

    public override string ToString() => $"file {Lineage:x} ({Id})";
}

internal sealed class WriteStormFailure(string message) : Exception(message);
