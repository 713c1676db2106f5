using System.Globalization;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>What the command line asks for.</summary>
internal sealed record BranchOptions
{
    /// <summary>What <c>--help</c> prints.</summary>
    public const string Usage =
        """
        SqliteBranches: a thousand branches of one SQLite database, all read, some written.

        usage: dotnet run -c Release --project samples/SqliteBranches [-- OPTIONS]

          --source FILE    the database to branch (default: one that is built, of --size MiB)
          --size MIB       the size of the database that is built, 1 to 4096 (default 200)
          --dir DIR        keep the branches as reflinks in a directory on XFS or btrfs (default: in one temporary file)
          --branches N     how many branches to make, 10 to 10000 (default 1000)
          --json           print one JSON object and nothing else
          --help           print this

        exit code: 0 all is well, 1 a database was wrong or a device failed, 2 bad options
        """;

    /// <summary>The database to branch; null for one that is built.</summary>
    public string? Source { get; private init; }

    /// <summary>A directory with reflinks for the store; null for a file.</summary>
    public string? Directory { get; private init; }

    /// <summary>The size of the database that is built, in MiB.</summary>
    public int SizeMib { get; private init; } = 200;

    /// <summary>How many branches are made.</summary>
    public int Branches { get; private init; } = 1000;

    /// <summary>Whether to print JSON in place of tables.</summary>
    public bool Json { get; private init; }

    /// <summary>Whether only the usage is wanted.</summary>
    public bool Help { get; private init; }

    /// <summary>Reads a command line.</summary>
    /// <param name="args">The arguments.</param>
    /// <exception cref="UsageException">An option is unknown, lacks its value, or has one that cannot be.</exception>
    public static BranchOptions Parse(IReadOnlyList<string> args)
    {
        var options = new BranchOptions();
        for (int i = 0; i < args.Count; i++)
        {
            string name = args[i];
            options = name switch
            {
                "--source" => options with { Source = Value() },
                "--dir" => options with { Directory = Value() },
                "--size" => options with { SizeMib = Number(1, 4096) },
                "--branches" => options with { Branches = Number(10, 10_000) },
                "--json" => options with { Json = true },
                "--help" or "-h" or "-?" => options with { Help = true },
                _ => throw new UsageException($"there is no option '{name}'"),
            };

            string Value() =>
                i + 1 < args.Count ? args[++i] : throw new UsageException($"{name} needs a value");

            int Number(int least, int most)
            {
                string text = Value();
                return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                    && number >= least && number <= most
                    ? number
                    : throw new UsageException($"{name} takes a number from {least} to {most}, not '{text}'");
            }
        }

        return options;
    }
}
