using System.Diagnostics;
using System.Globalization;
using System.Text;
using SharedPageCache.TestKit.Words;

namespace SharedPageCache.TestKit.Runs;

/// <summary>
/// What a process that was killed has told of its pages, and whether what it left behind agrees: every page holds a version that
/// was written to it, whole, and none that is older than the last one that was promised to be durable. Not thread-safe.
/// </summary>
/// <remarks>
/// The child tells by lines: <see cref="WritingLine"/> before it writes, <see cref="DurableLine"/> when a flush or a commit has
/// returned. Pages are filled by <see cref="PageTag"/>; versions only ever grow.
/// </remarks>
[DebuggerDisplay("{_pages.Count} pages")]
public sealed class PageLedger
{
    private readonly Dictionary<(int Lineage, int Page), Entry> _pages = [];

    /// <summary>Promises so far: pages that were said to be durable, each version once.</summary>
    public long Promises { get; private set; }

    /// <summary>What a child says before it writes pages of a file.</summary>
    /// <param name="lineage">The file.</param>
    /// <param name="pages">The pages and the version of each.</param>
    /// <returns>The line.</returns>
    public static string WritingLine(int lineage, IEnumerable<(int Page, int Version)> pages)
    {
        ArgumentNullException.ThrowIfNull(pages);
        var line = new StringBuilder().Append(CultureInfo.InvariantCulture, $"w {lineage}");
        foreach (var (page, version) in pages)
        {
            line.Append(CultureInfo.InvariantCulture, $" {page}:{version}");
        }

        return line.ToString();
    }

    /// <summary>What a child says when everything is durable that it has written to a file.</summary>
    /// <param name="lineage">The file.</param>
    /// <returns>The line.</returns>
    public static string DurableLine(int lineage) => string.Create(CultureInfo.InvariantCulture, $"f {lineage}");

    /// <summary>Reads a line of the child.</summary>
    /// <param name="line">The line.</param>
    /// <returns>Whether it is one of a ledger; others are the test's own.</returns>
    public bool TryRead(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        var words = line.Split(' ');
        if (words.Length < 2 || words[0] is not ("w" or "f"))
        {
            return false;
        }

        var lineage = int.Parse(words[1], CultureInfo.InvariantCulture);
        if (words[0] == "f")
        {
            foreach (var entry in _pages.Where(pair => pair.Key.Lineage == lineage).Select(static pair => pair.Value))
            {
                Promises += entry.Promised == entry.Versions[^1] ? 0 : 1;
                entry.Promised = entry.Versions[^1];
            }

            return true;
        }

        foreach (var word in words.AsSpan(2))
        {
            var parts = word.Split(':');
            var key = (lineage, int.Parse(parts[0], CultureInfo.InvariantCulture));
            if (!_pages.TryGetValue(key, out var entry))
            {
                _pages.Add(key, entry = new Entry());
            }

            entry.Versions.Add(int.Parse(parts[1], CultureInfo.InvariantCulture));
        }

        return true;
    }

    /// <summary>The newest version of a page that the child meant to write; 0 for none.</summary>
    /// <param name="lineage">The file.</param>
    /// <param name="page">The page.</param>
    /// <returns>The version.</returns>
    public int NewestOf(int lineage, int page) => _pages.TryGetValue((lineage, page), out var entry) ? entry.Versions[^1] : 0;

    /// <summary>The version of a page that was last promised to be durable; 0 for none.</summary>
    /// <param name="lineage">The file.</param>
    /// <param name="page">The page.</param>
    /// <returns>The version.</returns>
    public int PromisedOf(int lineage, int page) => _pages.TryGetValue((lineage, page), out var entry) ? entry.Promised : 0;

    /// <summary>Looks at a page that the child has left behind, and takes its version for the one that must be there from now on.</summary>
    /// <param name="lineage">The file.</param>
    /// <param name="page">The page.</param>
    /// <param name="bytes">What it holds; empty if the file does not reach so far.</param>
    /// <returns>What is wrong, in words, or null.</returns>
    public string? FaultOf(int lineage, int page, ReadOnlySpan<byte> bytes)
    {
        var promised = PromisedOf(lineage, page);
        if (bytes.IndexOfAnyExcept((byte)0) < 0)
        {
            if (promised > 0)
            {
                return $"page {page} of {lineage} is zero, and version {promised} was durable";
            }

            _pages.Remove((lineage, page));
            return null;
        }

        var tag = PageTag.Of(bytes) with { Domain = 0, Lineage = lineage, Page = page };
        if (tag.Version == 0)
        {
            return $"page {page} of {lineage} is no page of a test";
        }

        if (tag.FaultOf(bytes) is { } fault)
        {
            return fault;
        }

        if (tag.Version < promised)
        {
            return $"there is {tag}, and version {promised} was durable";
        }

        if (!_pages.TryGetValue((lineage, page), out var entry) || !entry.Versions.Contains(tag.Version))
        {
            return $"there is {tag}, which nobody wrote";
        }

        // What was found is on the device, and nothing that was written after it will come any more.
        entry.Promised = tag.Version;
        entry.Versions.RemoveAll(version => version != tag.Version);
        return null;
    }

    /// <summary>What is known of one page: the versions since the last look, and the promised one, 0 for none.</summary>
    private sealed class Entry
    {
        public List<int> Versions { get; } = [];

        public int Promised { get; set; }
    }
}
