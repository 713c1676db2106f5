using System.Diagnostics;
using Microsoft.Data.Sqlite;
using SharedPageCache.Sqlite;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>Makes the branches, reads each in full from several threads, and writes on every tenth.</summary>
internal sealed class BranchLeg(SqliteBranchStore store, SourceDatabase source, int branches)
{
    public const string Main = "main";

    private const int Checked = 4;

    private int _wrong;

    public int Written => (branches + 9) / 10;

    public bool IsRight => _wrong == 0;

    public static string NameOf(int branch) => $"branch-{branch}";

    /// <summary>Makes the branches; returns the time of each in microseconds, in ascending order.</summary>
    /// <param name="progress">How far it is.</param>
    /// <param name="reflinks">In turns with the branches bare reflinks are made; null for none.</param>
    public double[] Make(Action<double> progress, ReflinkLeg? reflinks)
    {
        var times = new double[branches];
        for (int i = 0; i < branches; i++)
        {
            // In turns, and in turns which of the two is first: the more files share a piece the longer the system call takes.
            if (i % 2 == 1)
            {
                reflinks?.MakeOne();
            }

            long start = Stopwatch.GetTimestamp();
            store.Branch(Main, NameOf(i));
            times[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            reflinks?.NoteBranch(times[i]);
            if (i % 2 == 0)
            {
                reflinks?.MakeOne();
            }
        }

        progress(1);
        Array.Sort(times);
        return times;
    }

    /// <summary>Counts the rows of every branch, which visits every page of the table. Returns the seconds.</summary>
    public double ReadAll(Action<double> progress) => OnAll(branches, progress, branch =>
    {
        using SqliteConnection connection = Sql.Open(store.GetConnectionString(NameOf(branch)));
        return connection.Number($"SELECT count(*) FROM {source.Table} NOT INDEXED") == source.Rows;
    });

    /// <summary>A transaction in every tenth branch, and a look that nobody else sees it. Returns the seconds of the writes.</summary>
    public double Write(Action<double> progress)
    {
        double seconds = OnAll(Written, progress, number =>
        {
            using SqliteConnection connection = Sql.Open(store.GetConnectionString(NameOf(number * 10)));
            connection.Run(
                $"""
                BEGIN;
                CREATE TABLE written(branch INTEGER, at TEXT);
                INSERT INTO written VALUES ({number}, datetime('now'));
                DELETE FROM {source.Table} WHERE rowid = (SELECT max(rowid) FROM {source.Table});
                COMMIT
                """);
            return true;
        });
        OnAll(branches, static _ => { }, branch =>
        {
            using SqliteConnection connection = Sql.Open(store.GetConnectionString(NameOf(branch)));
            long last = connection.Number($"SELECT count(*) FROM {source.Table} WHERE rowid = {source.LastRow}");
            long written = connection.Number("SELECT count(*) FROM sqlite_master WHERE name = 'written'");
            return (last, written) == (branch % 10 == 0 ? (0, 1) : (1, 0));
        });
        return seconds;
    }

    /// <summary>PRAGMA integrity_check of the origin and of some branches, written and not.</summary>
    public void Check(Action<double> progress) => OnAll(Checked, progress, number =>
    {
        string name = number == 0 ? Main : NameOf(number == 1 ? 0 : number == 2 ? branches / 20 * 10 : branches - 1);
        using SqliteConnection connection = Sql.Open(store.GetConnectionString(name));
        return connection.IsIntact();
    });

    private double OnAll(int count, Action<double> progress, Func<int, bool> work)
    {
        int done = 0;
        long start = Stopwatch.GetTimestamp();
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(2, Environment.ProcessorCount) }, number =>
        {
            if (!work(number))
                Interlocked.Increment(ref _wrong);
            progress((double)Interlocked.Increment(ref done) / count);
        });
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
