using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>What a branch costs without this library.</summary>
internal static class CopyLeg
{
    /// <summary>Copying the file, bytes and all: not by a reflink, which most file systems do not have.</summary>
    public static double CopyMilliseconds(SourceDatabase source, string target)
    {
        long start = Stopwatch.GetTimestamp();
        using (FileStream from = File.OpenRead(source.Path))
        using (FileStream to = File.Create(target, 1 << 20))
        {
            byte[] buffer = new byte[1 << 20];
            for (int read; (read = from.Read(buffer)) > 0;)
                to.Write(buffer, 0, read);
            to.Flush(flushToDisk: true);
        }

        double elapsed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        File.Delete(target);
        return elapsed;
    }

    public static double VacuumIntoMilliseconds(SourceDatabase source, string target)
    {
        using SqliteConnection connection = Sql.Open(Sql.File(source.Path));
        long start = Stopwatch.GetTimestamp();
        connection.Run($"VACUUM INTO '{target.Replace("'", "''", StringComparison.Ordinal)}'");
        double elapsed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        File.Delete(target);
        return elapsed;
    }
}
