using System.Globalization;

namespace SharedPageCache.Cow.Tests.Support;

/// <summary>
/// What the process does that is killed: it writes tagged pages to the files of a volume through a cache, flushes, makes
/// clones and deletes them, and says so. See <see cref="KillTests"/>.
/// </summary>
internal static class KilledWriter
{
    public const int Files = 4;
    public const int Pages = 24;
    public const int Page = 4096;

    public static string NameOf(int lineage) => $"file {lineage}";

    public static async Task RunAsync(string path, ulong seed, int version)
    {
        var dice = new Dice(seed);
        using var output = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true, NewLine = "\n" };
        using var volume = CowVolume.Open(path, new CowVolumeOptions { DirectIO = false });
        using var cache = new PageCache(new PageCacheOptions
        {
            CapacityBytes = 1 << 20, PageSize = Page, HugePages = false, MaxReadAheadPages = 0, DirtyAge = TimeSpan.FromMilliseconds(10),
        });
        using var attached = volume.Attach(cache);
        var files = Enumerable.Range(0, Files).Select(lineage => Open(attached, volume.OpenFile(NameOf(lineage)))).ToArray();
        output.WriteLine("opened");
        while (true)
        {
            var lineage = dice.Below(Files);
            var file = files[lineage];
            switch (dice.Below(10))
            {
                case 0 or 1 or 2:
                    await file.FlushAsync();
                    output.WriteLine(PageLedger.DurableLine(lineage));
                    break;
                case 3 when volume.Files.Count > Files + 3:
                    var oldest = volume.Files.Where(static entry => entry.Name.StartsWith("snapshot", StringComparison.Ordinal))
                        .MinBy(static entry => int.Parse(entry.Name.Split(' ')[2], CultureInfo.InvariantCulture)).Name;
                    output.WriteLine($"delete {oldest.Split(' ')[2]}");
                    using (var map = volume.OpenFile(oldest))
                    {
                        using var old = Open(attached, map);
                        old.Delete();
                    }

                    break;
                case 3:
                    var name = $"snapshot {lineage} {version}";
                    output.WriteLine($"clone {lineage} {version}");
                    using (var clone = file.Clone())
                    {
                        volume.Link((CowFile)clone.Extents, name);
                        await clone.FlushAsync();

                        // A name is the volume's business: a persist in the background may have come between the clone and it.
                        await volume.CommitAsync();
                        output.WriteLine($"cloned {version}");
                    }

                    break;
                default:
                    var (first, count) = (dice.Below(Pages - 4), dice.From(1, 4));
                    var pages = Enumerable.Range(first, count).Select(page => (Page: page, Version: version++)).ToList();
                    output.WriteLine(PageLedger.WritingLine(lineage, pages));
                    var bytes = new byte[count * Page];
                    pages.ForEach(page => new PageTag(0, lineage, page.Page, page.Version).Fill(bytes.AsSpan((page.Page - first) * Page, Page)));
                    await file.WriteAsync((long)first * Page, bytes);
                    break;
            }

            version++;
        }
    }

    private static MappedFile Open(CachedVolume attached, CowFile file) =>
        attached.OpenFile(file, file.Length, new FileOpenOptions { Id = file.Id, Name = file.Name });
}
