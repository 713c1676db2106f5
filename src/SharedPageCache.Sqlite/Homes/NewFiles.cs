using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Homes;

/// <summary>Files that are being made together: named one after the other, the database last; or none of them is left.</summary>
internal sealed class NewFiles(IHome home)
{
    private readonly List<StoredFile> _files = new(3);

    /// <summary>The files in the order of their naming.</summary>
    public IReadOnlyList<StoredFile> All => _files;

    /// <summary>The database.</summary>
    public StoredFile Main => _files[^1];

    public StoredFile Clone(StoredFile source, string name)
    {
        var clone = home.Clone(source, name);
        _files.Add(clone);
        return clone;
    }

    public void Add(StoredFile file) => _files.Add(file);

    /// <summary>Takes the names away again, and the files with them.</summary>
    public void GiveUp()
    {
        for (; _files.Count > 0; _files.RemoveAt(_files.Count - 1))
        {
            home.Unname(Main.Name);
            Main.GiveUp();
        }
    }
}
