using System.Diagnostics;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using SharedPageCache.Sqlite;
using Spectre.Console;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>The whole run, from the command line to the exit code.</summary>
internal static class BranchRun
{
    private const int Success = 0;
    private const int Failure = 1;
    private const int BadUsage = 2;

    public static int Run(string[] args)
    {
        string folder = Directory.CreateTempSubdirectory("sqlite-branches-").FullName;
        try
        {
            BranchOptions options = BranchOptions.Parse(args);
            if (options.Help)
            {
                Console.Out.WriteLine(BranchOptions.Usage);
                return Success;
            }

            IAnsiConsole console = BranchProgress.ConsoleFor(options);
            BranchFigures figures = BranchProgress.Show(console, progress => Measure(options, folder, progress));
            if (options.Json)
                Console.Out.WriteLine(JsonSerializer.Serialize(figures));
            else
                BranchReport.Print(console, figures);
            return figures.IntegrityOk ? Success : Failure;
        }
        catch (UsageException wrong)
        {
            Console.Error.WriteLine($"SqliteBranches: {wrong.Message} (--help lists the options)");
            return BadUsage;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException or InvalidDataException or SqliteException or AggregateException)
        {
            Console.Error.WriteLine($"SqliteBranches: {failure.GetBaseException().Message}");
            return Failure;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static BranchFigures Measure(BranchOptions options, string folder, BranchProgress progress)
    {
        string PathOf(string name) => Path.Combine(folder, name);
        SourceDatabase source = options.Source is { } path
            ? SourceDatabase.Of(path)
            : progress.Step($"Building a database of {options.SizeMib} MiB", done => SourceDatabase.Build(PathOf("source.db"), (long)options.SizeMib << 20, done));
        double copy = progress.Step("Copying it, for comparison", _ => CopyLeg.CopyMilliseconds(source, PathOf("copy.db")));
        double vacuum = progress.Step("VACUUM INTO, for comparison", _ => CopyLeg.VacuumIntoMilliseconds(source, PathOf("vacuum.db")));

        using ReflinkLeg? reflinks = options.Directory is { } directory ? new ReflinkLeg(directory) : null;
        using SqliteBranchStore store = SqliteBranchStore.Open(reflinks?.Store ?? PathOf("branches.store"), new SqliteBranchStoreOptions
        {
            // Room for one database and the books of all branches.
            CacheBytes = source.Bytes * 5 / 4 + (64L << 20) + options.Branches * 64L * 1024,
        });
        progress.Step("Importing it", _ =>
        {
            store.ImportAsync(source.Path, BranchLeg.Main).GetAwaiter().GetResult();
            store.FlushAsync().GetAwaiter().GetResult();
            return true;
        });

        var leg = new BranchLeg(store, source, options.Branches);
        double[] times = progress.Step($"Making {options.Branches} branches", done => leg.Make(done, reflinks));
        double flush = progress.Step("Making them durable, all together", _ =>
        {
            long start = Stopwatch.GetTimestamp();
            store.FlushAsync().GetAwaiter().GetResult();
            return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        });
        PageCacheStatistics before = store.Cache.GetStatistics();
        double readSeconds = progress.Step("Reading every branch in full", leg.ReadAll);
        PageCacheStatistics after = store.Cache.GetStatistics();
        long distinct = store.Databases.Single(static database => database.Name == BranchLeg.Main).Length;
        double writeSeconds = progress.Step($"Writing on {leg.Written} branches, looking at all", leg.Write);

        (double[] single, double[] together) = progress.Step("Queries, beside SQLite's own VFS", _ => Queries(store, source));
        double[] inserts = progress.Step("Inserts, beside SQLite's own VFS", _ => SpeedLeg.Insert(
            rows: (int)Math.Min(200_000, source.Rows),
            round => store.GetConnectionString($"insert-{round}"),
            round => Sql.File(Path.Combine(reflinks?.Folder ?? folder, $"insert-{round}.db"))));
        long ordinary = MemoryLeg.BytesOfConnection(source, _ => Sql.File(source.Path));
        long ours = MemoryLeg.BytesOfConnection(source, i => store.GetConnectionString(BranchLeg.NameOf(i)));
        progress.Step("PRAGMA integrity_check", done =>
        {
            leg.Check(done);
            return true;
        });

        return new BranchFigures
        {
            SourceBytes = source.Bytes,
            Branches = options.Branches,
            BranchMicroseconds = times[times.Length / 2],
            BranchMicrosecondsP99 = times[times.Length * 99 / 100],
            FlushMilliseconds = flush,
            CopyMilliseconds = copy,
            VacuumIntoMilliseconds = vacuum,
            ResidentBytes = after.ResidentBytes,
            MetadataBytes = after.MetadataBytes,
            DistinctBytes = distinct,
            DeviceBlocksRead = after.DevicePagesRead - before.DevicePagesRead,
            OrdinaryBytes = ordinary * options.Branches,
            ConnectionBytes = ours * options.Branches,
            KernelReflinkBytes = reflinks?.KernelBytes(options.Branches),
            CallMicroseconds = reflinks?.MedianBranchCallMicroseconds,
            AboveCallMicroseconds = reflinks?.MedianBranchAboveCallMicroseconds,
            MeanAboveCallMicroseconds = reflinks?.MeanBranchAboveCallMicroseconds,
            ReflinkMicroseconds = reflinks?.MedianMicroseconds,
            ReflinkAboveCallMicroseconds = reflinks?.MedianAboveCallMicroseconds,
            QueriesPerSecond = single[0],
            UnixQueriesPerSecond = single[1],
            UnixMappedQueriesPerSecond = single[2],
            QueriesInTransaction = together[0],
            UnixQueriesInTransaction = together[1],
            UnixMappedQueriesInTransaction = together[2],
            InsertsPerSecond = inserts[0],
            UnixInsertsPerSecond = inserts[1],
            BranchesWritten = leg.Written,
            ReadSeconds = readSeconds,
            WriteSeconds = writeSeconds,
            IntegrityOk = leg.IsRight,
        };
    }

    private static (double[] Single, double[] Together) Queries(SqliteBranchStore store, SourceDatabase source)
    {
        using SqliteConnection branch = Sql.Open(store.GetConnectionString(BranchLeg.NameOf(1)));
        using SqliteConnection unix = Sql.Open(Sql.File(source.Path));
        using SqliteConnection mapped = Sql.Open(Sql.File(source.Path));
        mapped.Run("PRAGMA mmap_size=2147418112");
        return (
            SpeedLeg.Query(source, inTransaction: false, branch, unix, mapped),
            SpeedLeg.Query(source, inTransaction: true, branch, unix, mapped));
    }
}
