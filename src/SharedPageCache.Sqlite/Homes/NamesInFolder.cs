using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Native;

namespace SharedPageCache.Sqlite.Homes;

/// <summary>The names in a store's directory: whether there can be others than those that the store has given.</summary>
/// <remarks>
/// <para>
/// To ask for a name that does not exist is the dearest question a file system can be asked, as nothing that it remembers says no. So the directory is asked
/// when it was last changed. As long as all its changes were the store's own, it has the names that the store knows of, and no others.
/// </para>
/// <para>
/// Thread-safe. Own changes are made one at a time, between two looks. What somebody else does between the two is overlooked, and within a tick of the clock before Linux 6.13: then a branch is not refused at once, but cannot be named
/// later, which every sync tells until he is gone, as when he comes after the branch. No name that is taken is ever given (<c>renameat2</c>, <c>linkat</c>). What the store changes in another way counts as somebody else's: of a clone that
/// is deleted while it has its passing name that name. From then on the directory is asked for each name.
/// </para>
/// </remarks>
internal sealed class NamesInFolder : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Folder _folder;
    private readonly string _path;
    private long _known;

    /// <exception cref="IOException">The file system failed.</exception>
    public NamesInFolder(string path)
    {
        _path = path;
        _folder = new Folder(path);
        try
        {
            var now = Now;
            _known = new DirectoryInfo(path).EnumerateFileSystemInfos().All(IsOwn) ? now : 0;
        }
        catch
        {
            _folder.Dispose();
            throw;
        }
    }

    /// <summary>Whether all changes since the opening were the store's own, and there was nothing else before.</summary>
    public bool AreAllOwn => Now == Volatile.Read(ref _known);

    private long Now => _folder.LastChange.Ticks;

    /// <summary>Whether a directory's entry is a file of a store.</summary>
    public static bool IsOwn(FileSystemInfo entry) =>
        entry is FileInfo && (entry.Attributes & FileAttributes.ReparsePoint) == 0 && (entry.Name.StartsWith(DatabaseName.OwnPrefix, StringComparison.Ordinal) || IsStored(entry.Name));

    /// <summary>Whether a name is one of a database, or of what SQLite keeps beside one.</summary>
    public static bool IsStored(string name) =>
        DatabaseName.IsValid(name) || DatabaseName.OwnerOf(name) is not null || DatabaseName.IsSuperJournal(name);

    /// <summary>Refuses a name that the store has not given and the directory has.</summary>
    /// <exception cref="IOException">Somebody else has given it.</exception>
    public void ThrowIfTaken(string name)
    {
        if (!AreAllOwn && Path.Combine(_path, name) is var path && Path.Exists(path))
        {
            throw new IOException($"'{path}' is there already.");
        }
    }

    /// <summary>Gives or takes names.</summary>
    public void Change(Action change)
    {
        lock (_lock)
        {
            var wereAllOwn = AreAllOwn;
            try
            {
                change();
            }
            finally
            {
                Volatile.Write(ref _known, wereAllOwn ? Now : 0);
            }
        }
    }

    /// <summary>Makes durable which names there are.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public void Flush() => _folder.Flush();

    public void Dispose() => _folder.Dispose();
}
