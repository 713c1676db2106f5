namespace SharedPageCache.Sqlite.Files;

/// <summary>A file of the store: a database, a journal or a log, with its pages in the cache. Made by the store's home.</summary>
/// <remarks>
/// Open in the cache for as long as the store is open or the file exists, for a clone with dirty pages can only be found by
/// whoever holds it. Thread-safe as <see cref="MappedFile"/> is; the length is written by whoever SQLite lets write.
/// </remarks>
internal abstract class StoredFile
{
    /// <summary>
    /// A log grows by this much, in one step of the home instead of two for each page. What lies behind its end reads
    /// zero, which SQLite takes for the end of a log, also after a crash.
    /// </summary>
    private const long LogStep = 1 << 20;

    private readonly bool _growsInSteps;
    private long _length;

    protected StoredFile(string name, MappedFile pages, long length)
    {
        Name = name;
        Pages = pages;
        _length = length;
        _growsInSteps = name.EndsWith(DatabaseName.WalSuffix, StringComparison.Ordinal);
    }

    public string Name { get; set; }

    public MappedFile Pages { get; }

    /// <summary>The length that SQLite sees. A log may be longer on the disk.</summary>
    public long Length => Volatile.Read(ref _length);

    /// <summary>
    /// Whether a journal may be hot: SQLite takes one whose first byte is zero for finished. Of a journal that an earlier
    /// process has left this is not known.
    /// </summary>
    public bool MayBeHot { get; private set; } = true;

    /// <summary>Whether SQLite has asked for the content to be durable. Then it relies on the file's end being so too.</summary>
    public bool WasSynced { get; private set; }

    /// <summary>How many connections have the file open. Under the catalog's lock.</summary>
    public int Handles { get; set; }

    /// <summary>Whether the file has no name any more and goes with its last handle. Under the catalog's lock.</summary>
    public bool IsDeleted { get; set; }

    /// <summary>Reads; what lies behind the end reads zero.</summary>
    /// <returns>Whether all of it lay inside the file.</returns>
    public bool Read(Span<byte> destination, long offset)
    {
        var inside = (int)Math.Clamp(Length - offset, 0, destination.Length);
        var read = inside == 0 ? 0 : Pages.Read(offset, destination[..inside]);
        destination[read..].Clear();
        return read == destination.Length;
    }

    public void Write(ReadOnlySpan<byte> source, long offset)
    {
        var end = offset + source.Length;
        if (offset == 0 && source.Length > 0)
        {
            MayBeHot = source[0] != 0;
        }

        if (_growsInSteps && end > Pages.Length)
        {
            Pages.SetLength((end + LogStep - 1) / LogStep * LogStep);
        }

        Pages.Write(offset, source);
        if (end > _length)
        {
            Volatile.Write(ref _length, end);
        }
    }

    public void SetLength(long length)
    {
        Pages.SetLength(length);
        Volatile.Write(ref _length, length);
    }

    /// <summary>Makes durable what was written: content, length, and the names of the home as they are.</summary>
    public virtual void Sync()
    {
        WasSynced = true;
        Pages.FlushAsync().AsTask().GetAwaiter().GetResult();
    }

    /// <summary>The content of a file without a name goes; the file is closed.</summary>
    public abstract void GiveUp();

    /// <inheritdoc/>
    public override string ToString() => $"{Name}, {Length} bytes";
}
