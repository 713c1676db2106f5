using System.Globalization;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What the command line asks for.</summary>
internal sealed record StormOptions
{
    /// <summary>What <c>--help</c> prints.</summary>
    public const string Usage =
        """
        CloneStorm: hundreds of clones of one disk image: all read, all written, cloned while dirty.

        usage: dotnet run -c Release --project samples/CloneStorm [-- OPTIONS]

          --source PATH       the file or directory that becomes the image
                              (default: the .NET shared framework of this machine)
          --clones N          how many clones to open, 2 to 10000 (default 200)
          --page-size BYTES   page size of the cache, a power of two, 4096 to 65536 (default 4096)
          --capacity-mib N    memory of the cache in MiB, metadata included (default: enough for one image)
          --json              print one JSON object and nothing else
          --help              print this

        exit code: 0 all is well, 1 a byte was wrong or a device failed, 2 bad options, 130 interrupted
        """;

    /// <summary>The file or directory to pack; null for the files of this machine's .NET.</summary>
    public string? Source { get; private init; }

    /// <summary>The number of clones.</summary>
    public int Clones { get; private init; } = 200;

    /// <summary>The page size of the caches in bytes.</summary>
    public int PageSize { get; private init; } = 4096;

    /// <summary>The capacity of the cache in bytes; null for one that holds the whole image.</summary>
    public long? CapacityBytes { get; private init; }

    /// <summary>Whether to print JSON in place of tables.</summary>
    public bool Json { get; private init; }

    /// <summary>Whether only the usage is wanted.</summary>
    public bool Help { get; private init; }

    /// <summary>Reads a command line.</summary>
    /// <param name="args">The arguments.</param>
    /// <exception cref="UsageException">An option is unknown, lacks its value, or has one that cannot be.</exception>
    public static StormOptions Parse(IReadOnlyList<string> args)
    {
        var options = new StormOptions();
        for (int i = 0; i < args.Count; i++)
        {
            string name = args[i];
            options = name switch
            {
                "--source" => options with { Source = Value() },
                "--clones" => options with { Clones = (int)Number(2, 10_000) },
                "--page-size" => options with { PageSize = PowerOfTwo(4096, 65_536) },
                "--capacity-mib" => options with { CapacityBytes = Number(1, 1 << 20) << 20 },
                "--json" => options with { Json = true },
                "--help" or "-h" or "-?" => options with { Help = true },
                _ => throw new UsageException($"there is no option '{name}'"),
            };

            string Value() =>
                i + 1 < args.Count ? args[++i] : throw new UsageException($"{name} needs a value");

            long Number(long least, long most)
            {
                string text = Value();
                return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
                    && number >= least && number <= most
                    ? number
                    : throw new UsageException($"{name} takes a number from {least} to {most}, not '{text}'");
            }

            int PowerOfTwo(int least, int most)
            {
                long number = Number(least, most);
                return long.IsPow2(number)
                    ? (int)number
                    : throw new UsageException($"{name} takes a power of two from {least} to {most}, not {number}");
            }
        }

        return options;
    }
}
