using System.Diagnostics;

namespace SharedPageCache.Report;

/// <summary>The checkout that this runs in: where the houses were built to and where the page goes.</summary>
internal static class Repository
{
    /// <exception cref="DirectoryNotFoundException">It does not run from a checkout.</exception>
    public static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "SharedPageCache.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new DirectoryNotFoundException("There is no SharedPageCache.sln above this program.");
    }

    /// <summary>Runs a house that was built beside this program and returns what it prints.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static string RunHouse(string repository, string house, IEnumerable<string> arguments, bool showsProgress)
    {
        // .../benchmarks/SharedPageCache.Report/bin/Release/net10.0/
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        var built = Path.Combine(repository, "benchmarks", house, "bin", own.Parent!.Name, own.Name, $"{house}.dll");
        var start = new ProcessStartInfo(Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? Environment.ProcessPath : "dotnet")
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = repository,
        };
        start.ArgumentList.Add(built);
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var errors = new List<string>();
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is { } text)
            {
                errors.Add(text);
                if (showsProgress)
                {
                    Console.WriteLine(text);
                }
            }
        };
        process.BeginErrorReadLine();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{house} ended with {process.ExitCode}:{Environment.NewLine}{string.Join(Environment.NewLine, errors.TakeLast(20))}");
    }
}
