namespace SharedPageCache.Sqlite;

/// <summary>SQLite's result codes, as far as this VFS gives them. <c>docs/sqlite.md</c> says when, and which others never come.</summary>
internal static class ResultCode
{
    public const int Ok = 0;
    public const int Busy = 5;
    public const int ReadOnly = 8;
    public const int IoError = 10;
    public const int NotFound = 12;
    public const int Full = 13;
    public const int CannotOpen = 14;

    public const int IoRead = IoError | (1 << 8);
    public const int IoShortRead = IoError | (2 << 8);
    public const int IoWrite = IoError | (3 << 8);
    public const int IoSync = IoError | (4 << 8);
    public const int IoTruncate = IoError | (6 << 8);
    public const int IoDelete = IoError | (10 << 8);
    public const int IoNoMemory = IoError | (12 << 8);
    public const int IoAccess = IoError | (13 << 8);
    public const int IoClose = IoError | (16 << 8);
    public const int IoSharedMemoryLock = IoError | (20 << 8);
    public const int IoDeleteMissing = IoError | (23 << 8);
    public const int IoFetch = IoError | (24 << 8);

    /// <summary>What SQLite is told of an exception: that there is no room or no memory, or else that the call failed.</summary>
    /// <param name="error">What was thrown.</param>
    /// <param name="otherwise">The code of the call that threw.</param>
    public static int Of(Exception error, int otherwise)
    {
        for (var cause = error; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case Cow.VolumeFullException:
                case IOException io when IsDiskFull(io):
                    return Full;
                case OutOfMemoryException or CacheCapacityException:
                    return IoNoMemory;
            }
        }

        return otherwise;
    }

    /// <summary>ENOSPC and EDQUOT on Unix; ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL on Windows.</summary>
    private static bool IsDiskFull(IOException error) =>
        error.HResult is 28 or 122 or 69 or unchecked((int)0x80070070) or unchecked((int)0x80070027);
}
