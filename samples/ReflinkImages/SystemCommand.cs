using System.ComponentModel;
using System.Diagnostics;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>Runs programs of the system, such as mount.</summary>
internal static class SystemCommand
{
    private static readonly string[] Folders = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin", "/usr/local/bin"];

    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">Its name.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <returns>What it wrote to standard output, without the white space around it.</returns>
    /// <exception cref="IOException">It is not installed, or failed; the message has what it said.</exception>
    public static string Run(string program, params string[] arguments)
    {
        string path = Folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists)
            ?? throw new IOException($"{program} is not installed");
        var start = new ProcessStartInfo(path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> complaint = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0
                ? output.Trim()
                : throw new IOException($"{program} {string.Join(' ', arguments)}: {complaint.Result.Trim()}");
        }
        catch (Win32Exception failure)
        {
            throw new IOException($"{program} does not start: {failure.Message}", failure);
        }
    }
}
