using System.Globalization;

namespace SharedPageCache.Cow;

/// <summary>Who has a file open, as far as Linux tells it to this user. For messages.</summary>
internal static class OpenElsewhere
{
    /// <summary>Looks through the open files of all processes.</summary>
    /// <param name="path">A file, or a directory: then what lies in it counts.</param>
    /// <returns>The end of a sentence: "in this process", "in process 1234 (name)".</returns>
    public static string Find(string path)
    {
        const string Unknown = "in this process or in another one";
        if (!OperatingSystem.IsLinux())
        {
            return Unknown;
        }

        try
        {
            path = System.IO.Path.GetFullPath(path);
            var processes = Directory.EnumerateDirectories("/proc")
                .Select(static folder => System.IO.Path.GetFileName(folder))
                .Where(static name => name.All(char.IsAsciiDigit))
                .Select(static name => int.Parse(name, CultureInfo.InvariantCulture))
                .OrderBy(static id => id == Environment.ProcessId ? 0 : 1);
            foreach (var id in processes.Where(id => HasOpen(id, path)))
            {
                return id == Environment.ProcessId ? "in this process" : $"in process {id} ({NameOf(id)})";
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            // It is said without the name then.
        }

        return Unknown;
    }

    private static bool HasOpen(int process, string path)
    {
        try
        {
            return Directory.EnumerateFiles($"/proc/{process}/fd").Any(descriptor =>
                new FileInfo(descriptor).LinkTarget is { } target
                && (target == path || target.StartsWith(path + System.IO.Path.DirectorySeparatorChar, StringComparison.Ordinal)));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It has ended, or is somebody else's.
            return false;
        }
    }

    private static string NameOf(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/comm").Trim();
        }
        catch (IOException)
        {
            return "ended";
        }
    }
}
