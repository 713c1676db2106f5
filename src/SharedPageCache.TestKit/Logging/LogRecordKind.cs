namespace SharedPageCache.TestKit.Logging;

/// <summary>What a record of the log says.</summary>
internal enum LogRecordKind : byte
{
    None,

    /// <summary>A file as it was at the checkpoint: id, name, pages, runs of blocks.</summary>
    File,

    /// <summary>All files of the checkpoint have been named; the next id.</summary>
    EndOfFiles,

    /// <summary>A new file: id, name.</summary>
    Create,

    /// <summary>A clone: id of the source, id, name.</summary>
    Clone,

    /// <summary>Pages of another file are shared: source, its first page, file, first page, count.</summary>
    CloneRange,

    /// <summary>A file has so many pages: file, count.</summary>
    SetPages,

    /// <summary>Pages become holes: file, first page, count.</summary>
    Punch,

    /// <summary>A file is deleted: file.</summary>
    Delete,

    /// <summary>Pages lie in blocks from now on: first block, count, and each file and first page.</summary>
    Bind,

    /// <summary>The whole content of a page: file, page, payload. The first record of a page after a checkpoint.</summary>
    PageImage,

    /// <summary>A part of a page is overwritten: file, page, offset, bytes.</summary>
    PageChange,
}
