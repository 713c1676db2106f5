using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Sqlite.Files;

/// <summary>The first bytes of every SQLite database.</summary>
internal static class DatabaseHead
{
    private static ReadOnlySpan<byte> Magic => "SQLite format 3\0"u8;

    /// <summary>Whether a file begins so.</summary>
    public static bool IsIn(SafeFileHandle file)
    {
        Span<byte> head = stackalloc byte[Magic.Length];
        return RandomAccess.Read(file, head, 0) == head.Length && head.SequenceEqual(Magic);
    }
}
