namespace SharedPageCache.Stress.Storms;

/// <summary>A file that the workers read: the cache's handle and the engine's file behind it.</summary>
internal sealed class OpenHandle(MappedFile file, Inode inode)
{
    private int _closing;

    public MappedFile File { get; } = file;

    public Inode Inode { get; } = inode;

    public bool IsClosing => Volatile.Read(ref _closing) != 0;

    /// <summary>Closes the handle; true for the one caller who did.</summary>
    public bool Close()
    {
        if (Interlocked.Exchange(ref _closing, 1) != 0)
        {
            return false;
        }

        File.Dispose();
        Inode.Engine.Closed(Inode, File);
        return true;
    }
}
