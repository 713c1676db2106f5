using System.Diagnostics.CodeAnalysis;

namespace SharedPageCache.HitRate;

/// <summary>What the command line asks for.</summary>
/// <param name="Traces">The folder with the traces and reference.tsv.</param>
/// <param name="Policies">The policies to replay, in this order for each row.</param>
/// <param name="Trace">The only trace to replay, or null for all.</param>
/// <param name="Clones">Whether to replay the clone traces instead of the traces themselves.</param>
/// <param name="Format">How to print.</param>
/// <param name="Plots">Where pictures go, or null.</param>
internal sealed record Arguments(
    string Traces, IReadOnlyList<ReplayedPolicy> Policies, string? Trace, bool Clones, OutputFormat Format, string? Plots)
{
    private static readonly string Usage =
        $"""
        Replays page traces through the cache and compares hit ratios with those of reference.tsv.

          --traces PATH     folder with NAME.u64.gz files and reference.tsv (required)
          --policy NAME     {string.Join(", ", ReplayedPolicy.All.Select(policy => policy.Name))} or all (default)
          --trace NAME      only this trace
          --clones          synthetic: {CloneReplay.Clones} clones of each trace with a tenth of the pages private, shared and per file
          --markdown        tables in Markdown: a row for each trace and cache size, a column for each policy
          --json            one JSON object instead of tables
          --plot PATH       also write a picture for each trace into this folder: hit ratio against cache size (SVG)
        """;

    /// <summary>Reads the command line.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="arguments">What they ask for.</param>
    /// <param name="message">Why they cannot be followed, with the usage.</param>
    public static bool TryParse(string[] args, [NotNullWhen(true)] out Arguments? arguments, out string message)
    {
        arguments = null;
        message = Usage;
        string? traces = null;
        string? trace = null;
        string? plots = null;
        bool clones = false;
        OutputFormat format = OutputFormat.Lines;
        IReadOnlyList<ReplayedPolicy> policies = ReplayedPolicy.All;
        for (int i = 0; i < args.Length; i++)
        {
            string? value = i + 1 < args.Length ? args[i + 1] : null;
            switch (args[i])
            {
                case "--json":
                    format = OutputFormat.Json;
                    continue;
                case "--markdown":
                    format = OutputFormat.Markdown;
                    continue;
                case "--clones":
                    clones = true;
                    continue;
                case "--traces" when value is not null:
                    traces = value;
                    break;
                case "--trace" when value is not null:
                    trace = value;
                    break;
                case "--plot" when value is not null:
                    plots = value;
                    break;
                case "--policy" when value is "all":
                    policies = ReplayedPolicy.All;
                    break;
                case "--policy" when ReplayedPolicy.All.FirstOrDefault(policy => policy.Name == value) is { } policy:
                    policies = [policy];
                    break;
                default:
                    message = $"Not understood: {args[i]} {value}{Environment.NewLine}{Environment.NewLine}{Usage}";
                    return false;
            }

            i++;
        }

        if (traces is null)
        {
            return false;
        }

        arguments = new Arguments(traces, policies, trace, clones, format, plots);
        return true;
    }
}
