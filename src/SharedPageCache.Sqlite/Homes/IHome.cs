using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Homes;

/// <summary>
/// Where the files of a store live: their names, their content as files of the cache, clones, and how much room there is. What a
/// database is, and which file goes with which, is the <see cref="Catalog"/>'s business.
/// </summary>
/// <remarks>
/// <para>
/// Names change under the catalog's lock only; flushes come from any thread. A change of a name is seen at once, and is durable
/// with the next <see cref="SyncNames"/> or sync of any file (<see cref="StoredFile.Sync"/>), a name that is taken never before
/// the content that the file had then.
/// </para>
/// <para>
/// After a crash names are there in the order in which they were taken: whatever has its name is whole, and so is everything
/// that was named before it. Names go in order too, see <see cref="Unname"/>.
/// </para>
/// </remarks>
internal interface IHome : IAsyncDisposable
{
    /// <summary>The file or the directory.</summary>
    string Path { get; }

    /// <summary>Whether a page is there as a whole after a crash, or not at all, even if the power fails while it is written.</summary>
    bool WritesPagesWhole { get; }

    /// <summary>The names at this moment: databases, journals, logs and super-journals.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>How much can still be written.</summary>
    HomeRoom Room { get; }

    /// <summary>Opens a file that is there.</summary>
    StoredFile Open(string name);

    /// <summary>Makes an empty file.</summary>
    StoredFile Create(string name);

    /// <summary>Makes an empty file that nobody finds, and of which a crash leaves nothing.</summary>
    StoredFile CreateNameless();

    /// <summary>Gives a nameless file that was flushed a name.</summary>
    /// <returns>The file under its name; the nameless one is gone if it is another one.</returns>
    StoredFile Name(StoredFile nameless, string name);

    /// <summary>Makes a file that begins as another one is at this moment, under a name.</summary>
    StoredFile Clone(StoredFile source, string name);

    /// <summary>Gives a file that nobody else uses another name.</summary>
    /// <returns>The file under its new name; the old one is gone if it is another one.</returns>
    StoredFile Rename(StoredFile file, string newName);

    /// <summary>
    /// Takes names away. The first is gone after a crash whenever another one is. The files' content is there until they are given up.
    /// </summary>
    void Unname(params ReadOnlySpan<string> names);

    /// <summary>Makes the names durable as they are.</summary>
    void SyncNames();

    /// <summary>Gives a file its name back, whose loss could not be made durable, so that the loss is undone for all to see.</summary>
    /// <returns>Whether it has it; if not, a crash decides whether there is such a file.</returns>
    bool TryNameAgain(StoredFile file);

    /// <summary>Makes room of what was given up and waits for something to be made durable.</summary>
    void Reclaim();

    /// <summary>Makes all content and all names durable.</summary>
    ValueTask FlushAsync(CancellationToken cancellationToken);
}
