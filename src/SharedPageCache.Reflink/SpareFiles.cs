namespace SharedPageCache.Reflink;

/// <summary>Empty files without names, made ahead for the next clones of a volume in one folder.</summary>
/// <remarks>
/// <para>
/// A file costs about as much as all else that a clone does beside its system call. So when there is none, several are made: it is not less work, but most clones wait for none of it.
/// How many doubles from one to <see cref="Most"/> as there are more clones. No other thread makes them, as that slows down the clones that are made meanwhile.
/// They are in no folder, so nothing is left of them when they are closed, or after a crash.
/// </para>
/// <para>Thread-safe: the lock guards the list; files are made and closed outside it.</para>
/// </remarks>
internal sealed class SpareFiles
{
    /// <summary>The most files that are made at once, one of which is used at once.</summary>
    public const int Most = 8;

    private readonly Lock _lock = new();
    private readonly Stack<OriginFile> _files = [];
    private string? _folder;
    private int _next = 1;

    /// <summary>How many files there are in store.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _files.Count;
            }
        }
    }

    /// <summary>A file without a name, to clone another one into it.</summary>
    /// <param name="path">The full path that it is meant for, on the file system of the other file.</param>
    /// <param name="like">The file to be cloned.</param>
    /// <exception cref="IOException">The file system failed.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public OriginFile Take(string path, WritableReflinkFile like)
    {
        var folder = System.IO.Path.GetDirectoryName(path)!;
        OriginFile[] strangers;
        int count;
        lock (_lock)
        {
            if (folder == _folder && _files.TryPop(out var file))
            {
                return file with { Path = path };
            }

            strangers = [.. _files];
            _files.Clear();
            _next = folder == _folder ? Math.Min(_next * 2, Most) : 1;
            _folder = folder;
            count = _next;
        }

        Array.ForEach(strangers, static file => file.Handle.Dispose());
        var first = OriginFile.CreateUnnamed(path, like);
        for (var i = 1; i < count && TryMake(path, like) is { } spare; i++)
        {
            Put(spare, folder);
        }

        return first;
    }

    /// <summary>Closes them.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            foreach (var file in _files)
            {
                file.Handle.Dispose();
            }

            _files.Clear();
            _folder = null;
        }
    }

    /// <summary>One more, unless there is no room for it: then there are none to spare.</summary>
    private static OriginFile? TryMake(string path, WritableReflinkFile like)
    {
        try
        {
            return OriginFile.CreateUnnamed(path, like);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void Put(OriginFile file, string folder)
    {
        lock (_lock)
        {
            if (folder == _folder)
            {
                _files.Push(file);
                return;
            }
        }

        file.Handle.Dispose();
    }
}
