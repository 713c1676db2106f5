namespace SharedPageCache.Reflink;

/// <summary>A point in time as file systems keep it, to the nanosecond.</summary>
/// <param name="Seconds">Seconds since 1970.</param>
/// <param name="Nanoseconds">Nanoseconds in that second.</param>
internal readonly record struct FileTime(long Seconds, uint Nanoseconds) : IComparable<FileTime>
{
    public int CompareTo(FileTime other) =>
        Seconds != other.Seconds ? Seconds.CompareTo(other.Seconds) : Nanoseconds.CompareTo(other.Nanoseconds);

    /// <summary>How long ago this was, clipped to a day either way.</summary>
    public TimeSpan AgeAt(DateTimeOffset now)
    {
        var seconds = (now - DateTimeOffset.UnixEpoch).TotalSeconds - Seconds - Nanoseconds / 1e9;
        return TimeSpan.FromSeconds(Math.Clamp(seconds, -86400, 86400));
    }

    public override string ToString()
    {
        const long lastSecond = 253_402_300_799; // of the year 9999
        return Seconds is < 0 or > lastSecond
            ? $"{Seconds}.{Nanoseconds:d9}"
            : $"{DateTimeOffset.FromUnixTimeSeconds(Seconds):yyyy-MM-dd HH:mm:ss}.{Nanoseconds:d9}";
    }
}
