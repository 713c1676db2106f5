using System.Globalization;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>What the command line asks for.</summary>
internal sealed record ExperimentOptions
{
    /// <summary>What <c>--help</c> prints.</summary>
    public const string Usage =
        """
        ReflinkImages: makes reflinks of a disk image and reads them all, with plain reads and through SharedPageCache.

        usage: dotnet run -c Release --project samples/ReflinkImages -- (--dir PATH | --make-xfs) [OPTIONS]

          --dir PATH      a directory on XFS or btrfs to work in; what is made there is deleted again
          --make-xfs      make an XFS in a file, mounted while the sample runs (needs root and xfsprogs)
          --files N       how many reflinks to make, 2 to 10000 (default 100)
          --source PATH   the file, or the directory of files, that becomes the image
                          (default: the .NET shared framework of this machine, at least 64 MiB)
          --write         also write to up to 50 of the reflinks, clone them while they are dirty, and compare with plain reads
          --json          print one JSON object and nothing else
          --help          print this

        exit code: 0 all is well, 1 a byte was wrong or something failed, 2 bad options, 130 interrupted
        """;

    /// <summary>The directory to work in; null with <see cref="MakeXfs"/>.</summary>
    public string? Folder { get; private init; }

    /// <summary>Whether to make a file system.</summary>
    public bool MakeXfs { get; private init; }

    /// <summary>The number of reflinks.</summary>
    public int Files { get; private init; } = 100;

    /// <summary>The file or directory that becomes the image; null for the files of this machine's .NET.</summary>
    public string? Source { get; private init; }

    /// <summary>Whether to write to some of the reflinks too.</summary>
    public bool Write { get; private init; }

    /// <summary>Whether to print JSON in place of a table.</summary>
    public bool Json { get; private init; }

    /// <summary>Whether only the usage is wanted.</summary>
    public bool Help { get; private init; }

    /// <summary>Reads a command line.</summary>
    /// <param name="args">The arguments.</param>
    /// <exception cref="UsageException">An option is unknown, lacks its value, has one that cannot be, or is missing.</exception>
    public static ExperimentOptions Parse(IReadOnlyList<string> args)
    {
        var options = new ExperimentOptions();
        for (int i = 0; i < args.Count; i++)
        {
            string name = args[i];
            options = name switch
            {
                "--dir" => options with { Folder = Value() },
                "--make-xfs" => options with { MakeXfs = true },
                "--files" => options with { Files = Number(2, 10_000) },
                "--source" => options with { Source = Value() },
                "--write" => options with { Write = true },
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

        return options.Help || options.MakeXfs != options.Folder is not null
            ? options
            : throw new UsageException("give either --dir PATH, a directory on XFS or btrfs, or --make-xfs");
    }
}
