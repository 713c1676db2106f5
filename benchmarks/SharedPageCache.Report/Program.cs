using SharedPageCache.Measures;
using SharedPageCache.Report;

const string Usage =
    """
    Runs all benchmark houses and writes docs/benchmarks.md with its pictures, and the paragraph of README.md that quotes it.

      --traces DIR      page traces with reference.tsv: adds hit ratios
      --quick           small files and short rounds: to see that it works
      --busy            the machine does other work: count processor time where one thread runs
      --reflink DIR     a directory on XFS or btrfs: adds FICLONE; may be given several times
      --peer ASSEMBLY   further peers; may be given several times
      --scratch DIR     where files of up to 1.6 GiB are made and removed again
      --from DIR        where figures are kept: houses whose figures are there already are not run again
    """;

var (traces, from, passed) = ((string?)null, (string?)null, new List<string>());
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--traces" when i + 1 < args.Length:
            traces = args[++i];
            break;
        case "--from" when i + 1 < args.Length:
            from = args[++i];
            break;
        case "--quick" or "--busy":
            passed.Add(args[i]);
            break;
        case "--reflink" or "--peer" or "--scratch" when i + 1 < args.Length:
            passed.AddRange([args[i], args[++i]]);
            break;
        default:
            Console.Error.WriteLine($"Not understood: {args[i]}{Environment.NewLine}{Environment.NewLine}{Usage}");
            return 2;
    }
}

var repository = Repository.Find();
var start = System.Diagnostics.Stopwatch.GetTimestamp();
var folder = from is null ? Directory.CreateTempSubdirectory("spc-figures-").FullName : Directory.CreateDirectory(from).FullName;
Console.WriteLine($"Figures are kept in {folder}");
var figures = RunFigures.Measure(repository, folder, passed, traces);

// What a reader can type: paths of this machine are none of the page's business, and where figures were kept is not either.
var shown = new List<string>();
for (var i = 0; i < args.Length; i++)
{
    if (args[i] == "--from")
    {
        i++;
        continue;
    }

    shown.Add(i > 0 && args[i - 1] is ("--traces" or "--reflink" or "--peer" or "--scratch") ? "PATH" : args[i]);
}

IReadOnlyList<string> written =
[
    .. BenchmarkPage.Write(repository, figures, string.Join(' ', shown), from is null ? System.Diagnostics.Stopwatch.GetElapsedTime(start) : null),
    ReadmeParagraph.Write(repository, figures, isQuoted: !passed.Contains("--quick")),
];
Console.WriteLine($"Wrote {string.Join(", ", written.Select(path => Path.GetRelativePath(repository, path)))}");
return 0;
