using System.Text;

namespace SharedPageCache.Sqlite.Files;

/// <summary>What a database may be called, and what SQLite calls the files beside it.</summary>
internal static class DatabaseName
{
    public const string JournalSuffix = "-journal";
    public const string WalSuffix = "-wal";

    /// <summary>In UTF-8. The volume takes 255 bytes; the rest is for what SQLite appends.</summary>
    public const int MostBytes = 200;

    /// <summary>Begins the names of files that a store in a directory keeps for itself.</summary>
    public const string OwnPrefix = ".spc-";

    private const string SharedMemorySuffix = "-shm";
    private const string SuperJournalMark = "-mj";

    /// <exception cref="ArgumentException">No database can have the name.</exception>
    public static void Check(string name, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(name))] string? argument = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name, argument);
        if (WhyNot(name) is { } reason)
        {
            throw new ArgumentException($"No database can be called '{Shortened(name)}': {reason}.", argument);
        }
    }

    public static bool IsValid(string name) => name.Length > 0 && WhyNot(name) is null;

    /// <summary>The database that a journal or a log belongs to; null for other files.</summary>
    public static string? OwnerOf(string file) =>
        file.EndsWith(JournalSuffix, StringComparison.Ordinal) ? file[..^JournalSuffix.Length]
        : file.EndsWith(WalSuffix, StringComparison.Ordinal) ? file[..^WalSuffix.Length]
        : null;

    /// <summary>Whether SQLite calls the journal of a transaction over several databases so.</summary>
    public static bool IsSuperJournal(string file)
    {
        var at = file.LastIndexOf(SuperJournalMark, StringComparison.Ordinal);
        return at > 0 && file.Length - at - SuperJournalMark.Length is >= 8 and <= 9
            && file.Skip(at + SuperJournalMark.Length).All(char.IsAsciiHexDigit);
    }

    private static string? WhyNot(string name)
    {
        if (name is "." or "..")
        {
            return "it means a directory";
        }

        if (name.AsSpan().IndexOfAny('/', '\\') >= 0)
        {
            return "it has a separator, and a store has no directories";
        }

        if (name.Any(char.IsControl))
        {
            return "it has a control character";
        }

        if (name[0] == ':' || name.StartsWith("file:", StringComparison.OrdinalIgnoreCase))
        {
            return "SQLite takes that for something else than a name";
        }

        if (name.StartsWith(OwnPrefix, StringComparison.Ordinal))
        {
            return "a store calls its own files so";
        }

        if (OwnerOf(name) is not null || IsSuperJournal(name) || name.EndsWith(SharedMemorySuffix, StringComparison.Ordinal))
        {
            return "SQLite calls the files beside a database so";
        }

        try
        {
            var bytes = new UTF8Encoding(false, throwOnInvalidBytes: true).GetByteCount(name);
            return bytes > MostBytes ? $"it has {bytes} bytes in UTF-8, and {MostBytes} is the most" : null;
        }
        catch (EncoderFallbackException)
        {
            return "it has half of a surrogate pair";
        }
    }

    private static string Shortened(string name) => name.Length > 60 ? name[..57] + "..." : name;
}
