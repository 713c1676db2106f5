namespace SharedPageCache.TestKit.Logging;

/// <summary>A file as the log describes it: its name, its length in pages, and the block of each page that is no hole.</summary>
internal sealed class FileState(int id, string name)
{
    public int Id => id;

    public string Name => name;

    public long Pages { get; set; }

    public SortedDictionary<long, long> Blocks { get; } = [];

    public override string ToString() => $"{name} ({id}), {Pages} pages";
}
