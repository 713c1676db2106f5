namespace SharedPageCache.Measures;

/// <summary>The options that all houses have.</summary>
/// <param name="Json">Print one JSON object, and progress to the error output.</param>
/// <param name="Quick">Small files and short rounds: to see that it works.</param>
/// <param name="Scratch">Where files are made; removed afterwards.</param>
/// <param name="Peers">Assemblies with further peers.</param>
/// <param name="Reflinks">Directories on file systems that clone files.</param>
/// <param name="Only">What to run: figures whose group begins so.</param>
public sealed record HouseArguments(
    bool Json, bool Quick, string Scratch, IReadOnlyList<string> Peers, IReadOnlyList<string> Reflinks, string Only)
{
    /// <summary>Whether processor time of the thread is counted instead of time.</summary>
    public bool CountsProcessorTime { get; private init; }

    /// <summary>The options in words.</summary>
    public const string Usage =
        """
          --json            one JSON object instead of lines
          --quick           small files and short rounds: to see that it works
          --scratch DIR     where files of up to 1.6 GiB are made and removed again (default: the temporary folder)
          --peer ASSEMBLY   further implementations of SharedPageCache.Measures.Peers.IPeer; may be given several times
          --reflink DIR     a directory on XFS or btrfs: measures FICLONE beside a clone; may be given several times
          --only GROUP      only this group of figures
          --busy            the machine does other work: count processor time of the thread instead of time
        """;

    /// <summary>How long the rounds of one comparison go on.</summary>
    public TimeSpan Budget => TimeSpan.FromMilliseconds(Quick ? 60 : 1200);

    /// <summary>The large file, all of whose pages are in memory.</summary>
    public long LargeBytes => Quick ? 128L << 20 : 1L << 30;

    /// <summary>Reads the command line.</summary>
    /// <exception cref="ArgumentException">It cannot be followed.</exception>
    public static HouseArguments Parse(IReadOnlyList<string> args)
    {
        var result = new HouseArguments(false, false, Path.GetTempPath(), [], [], "");
        for (var i = 0; i < args.Count; i++)
        {
            result = args[i] switch
            {
                "--json" => result with { Json = true },
                "--busy" => result with { CountsProcessorTime = RoundClock.CountsProcessorTime = true },
                "--quick" => result with { Quick = true },
                "--scratch" when i + 1 < args.Count => result with { Scratch = args[++i] },
                "--peer" when i + 1 < args.Count => result with { Peers = [.. result.Peers, args[++i]] },
                "--reflink" when i + 1 < args.Count => result with { Reflinks = [.. result.Reflinks, args[++i]] },
                "--only" when i + 1 < args.Count => result with { Only = args[++i] },
                _ => throw new ArgumentException($"Not understood: {args[i]}"),
            };
        }

        return result;
    }

    /// <summary>
    /// Runs a house: its groups of figures one after the other, each shown as it comes. A group that fails ends, what it has found stays, and
    /// the failure is told with the figures.
    /// </summary>
    /// <param name="name">The house.</param>
    /// <param name="groups">The groups by name.</param>
    public void Run(string name, params IReadOnlyList<(string Name, Func<IEnumerable<Figure>> Measure)> groups)
    {
        Interleaved.Least = Quick ? (1, 2, 5) : Interleaved.Least;
        var machine = Machine.Now();
        var output = Json ? Console.Error : Console.Out;
        output.WriteLine($"{name}: {machine.Processor}, {machine.Cores} cores, {machine.System}, {machine.Runtime}, load {machine.Load:0.0}");
        var figures = new List<Figure>();
        var failures = new List<string>();
        foreach (var (group, measure) in groups.Where(group => group.Name.StartsWith(Only, StringComparison.Ordinal)))
        {
            try
            {
                foreach (var figure in measure())
                {
                    figures.Add(figure);
                    House.WriteLine(output, figure);
                }
            }
            catch (Exception error)
            {
                failures.Add($"{group}: {error.Message}");
                Console.Error.WriteLine($"{name}, {group}: {error}");
            }

            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        if (Json)
        {
            Console.Out.WriteLine(new House(name, machine, figures, failures).ToJson());
        }
    }
}
