using System.Runtime.InteropServices;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>The real files of this machine that the image is made of.</summary>
/// <param name="Root">The file or directory that was asked for.</param>
/// <param name="Paths">The files, in order.</param>
/// <param name="Bytes">The sum of their lengths.</param>
internal sealed record SourceFiles(string Root, IReadOnlyList<string> Paths, long Bytes)
{
    /// <summary>What the default image holds at least.</summary>
    private const long DefaultBytes = 64L << 20;

    private static readonly EnumerationOptions Walk = new()
    {
        RecurseSubdirectories = true,
        IgnoreInaccessible = true,
        AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Device,
    };

    /// <summary>Lists a file, or all files below a directory.</summary>
    /// <exception cref="UsageException">There is nothing at the path, or nothing in it.</exception>
    public static SourceFiles At(string path)
    {
        string root = Path.GetFullPath(path);
        SourceFiles files = File.Exists(root) ? Of(root, [root])
            : Directory.Exists(root) ? Of(root, Below(root))
            : throw new UsageException($"--source: there is no file or directory at {root}");
        return files.Bytes > 0 ? files : throw new UsageException($"--source: {root} holds nothing");
    }

    /// <summary>
    /// Lists the shared framework that this very program runs on; where that is small, more of the .NET beside it.
    /// </summary>
    public static SourceFiles OfThisRuntime()
    {
        string runtime = Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory());
        SourceFiles files = Of(runtime, Below(runtime));

        // <dotnet>/shared/Microsoft.NETCore.App/10.0.0
        string? dotnet = Path.GetDirectoryName(Path.GetDirectoryName(Path.GetDirectoryName(runtime)));
        return files.Bytes >= DefaultBytes || dotnet is null ? files : Of(dotnet, Below(dotnet));
    }

    private static SourceFiles Of(string root, List<string> paths) =>
        new(root, paths, paths.Sum(path => new FileInfo(path).Length));

    private static List<string> Below(string folder) =>
        [.. Directory.EnumerateFiles(folder, "*", Walk).Order(StringComparer.Ordinal)];
}
