using System.Diagnostics;

namespace SharedPageCache.Mutants;

/// <summary>
/// Copies of built test projects, in whose place the core is exchanged: a mutant costs one compilation of the core, and the time of its
/// killer. Each bed is used by one mutant at a time.
/// </summary>
internal sealed class TestBed(string root, string directory)
{
    /// <summary>How a run of tests ended.</summary>
    /// <param name="Failed">The test that failed, or how the run ended otherwise; null if all passed.</param>
    /// <param name="Why">What it said.</param>
    /// <param name="Ran">How many tests passed, if all did.</param>
    /// <param name="Seconds">Processor time of the process.</param>
    internal sealed record Outcome(string? Failed, string Why, int Ran, double Seconds)
    {
        /// <summary>Whether the tests were stopped because they took too long: that says nothing on a busy machine.</summary>
        public bool IsUndecided { get; init; }
    }

    /// <summary>Where a project's copy lies; made when it is first asked for.</summary>
    public string Of(string project)
    {
        var copy = Path.Combine(directory, project);
        if (!Directory.Exists(copy))
        {
            var built = BuiltOutputOf(root, project);
            foreach (var file in Directory.EnumerateFiles(built, "*", SearchOption.AllDirectories))
            {
                var target = Path.Combine(copy, Path.GetRelativePath(built, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target);
            }
        }

        return copy;
    }

    /// <summary>Where the build leaves a test project.</summary>
    public static string BuiltOutputOf(string root, string project) => Path.Combine(root, "tests", project, "bin", "Release", "net10.0");

    /// <summary>Runs tests of a copied project in a process of their own.</summary>
    public Outcome Run(string project, IEnumerable<string> filters, TimeSpan most, IReadOnlyDictionary<string, string>? environment = null) =>
        Run(Of(project), project, filters, most, environment ?? new Dictionary<string, string>());

    /// <summary>Runs tests where they lie.</summary>
    public static Outcome Run(
        string where, string project, IEnumerable<string> filters, TimeSpan most, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(TestBed).Assembly.Location);
        }

        foreach (var argument in (string[])["run-tests", where, project, .. filters])
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (key, value) in environment)
        {
            start.Environment[key] = value;
        }

        using var process = Process.Start(start)!;
        var said = process.StandardOutput.ReadToEndAsync();
        var complained = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(most))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            return new Outcome($"no end after {most.TotalSeconds:f0} s", "", 0, most.TotalSeconds) { IsUndecided = true };
        }

        process.WaitForExit();
        var lines = said.Result.Split('\n');
        var seconds = Array.Find(lines, static line => line.StartsWith("SECONDS ", StringComparison.Ordinal)) is { } time
            ? double.Parse(time["SECONDS ".Length..], System.Globalization.CultureInfo.InvariantCulture) : 0;
        var failed = Array.FindIndex(lines, static line => line.StartsWith("FAILED ", StringComparison.Ordinal));
        if (failed >= 0)
        {
            return new Outcome(lines[failed]["FAILED ".Length..], string.Join('\n', lines[(failed + 1)..]).Trim(), 0, seconds);
        }

        var passed = Array.Find(lines, static line => line.StartsWith("PASSED ", StringComparison.Ordinal));
        return process.ExitCode == 0 && passed is not null
            ? new Outcome(null, "", int.Parse(passed["PASSED ".Length..], System.Globalization.CultureInfo.InvariantCulture), seconds)
            : process.ExitCode == 2
                ? throw new InvalidOperationException($"{project} has no test like {string.Join(" or ", filters)}.")
                : new Outcome($"the process ended with {process.ExitCode}", complained.Result.Trim(), 0, seconds);
    }
}
