using System.ComponentModel;
using System.Diagnostics;

namespace SharedPageCache.Reflink.Tests.Mounts;

/// <summary>Runs a program of the system and refuses to go on if it fails.</summary>
internal static class Command
{
    public static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = $"/usr/local/sbin:/usr/sbin:/sbin:{Environment.GetEnvironmentVariable("PATH")}";
        using var process = StartIn(start);
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException(
                $"{program} {string.Join(' ', arguments)} failed ({process.ExitCode}): {error.Result.Trim()} {output.Trim()}");
    }

    /// <summary>Whether a program is installed where administrators keep theirs.</summary>
    public static bool Exists(string program) =>
        new[] { "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin" }
            .Any(folder => File.Exists(Path.Combine(folder, program)));

    private static Process StartIn(ProcessStartInfo start)
    {
        // Process looks the program up in this process's own PATH, which for users lacks the sbin folders.
        foreach (var folder in start.Environment["PATH"]!.Split(':'))
        {
            var path = Path.Combine(folder, start.FileName);
            if (File.Exists(path))
            {
                start.FileName = path;
                return Process.Start(start)!;
            }
        }

        throw new Win32Exception($"{start.FileName} is not installed.");
    }
}
