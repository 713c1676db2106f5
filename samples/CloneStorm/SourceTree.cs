using System.Runtime.InteropServices;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>The real files of this machine that the golden image is made of.</summary>
internal sealed class SourceTree
{
    /// <summary>What the default source holds at least, in bytes, where the machine has that much.</summary>
    private const long DefaultBytes = 64L << 20;

    private static readonly EnumerationOptions Walk = new()
    {
        RecurseSubdirectories = true,
        IgnoreInaccessible = true,
        AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Device,
    };

    private SourceTree(string root, IReadOnlyList<SourceFile> files)
    {
        Root = root;
        Files = files;
        Bytes = files.Sum(file => file.Length);
    }

    /// <summary>The directory or file that was asked for.</summary>
    public string Root { get; }

    /// <summary>The files, in the order of their paths; empty ones are left out.</summary>
    public IReadOnlyList<SourceFile> Files { get; }

    /// <summary>The sum of their lengths in bytes.</summary>
    public long Bytes { get; }

    /// <summary>Lists a file, or all files below a directory.</summary>
    /// <param name="path">The file or directory.</param>
    /// <exception cref="FileNotFoundException">There is nothing at the path.</exception>
    public static SourceTree At(string path)
    {
        string root = Path.GetFullPath(path);
        if (File.Exists(root))
            return new SourceTree(root, FilesOf([new FileInfo(root)]));
        if (Directory.Exists(root))
            return new SourceTree(root, FilesBelow(root));
        throw new FileNotFoundException($"there is no file or directory at {root}", root);
    }

    /// <summary>
    /// Lists the shared framework that this very program runs on. Where that is small, files of its neighbours (the
    /// ASP.NET framework, the SDK) make up the rest.
    /// </summary>
    public static SourceTree OfThisRuntime()
    {
        string runtime = Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory());
        List<SourceFile> files = FilesBelow(runtime);

        long missing = DefaultBytes - files.Sum(file => file.Length);
        foreach (SourceFile file in NeighboursOf(runtime).SelectMany(FilesBelow))
        {
            if (missing <= 0)
                break;
            files.Add(file);
            missing -= file.Length;
        }

        return new SourceTree(runtime, files);
    }

    private static IEnumerable<string> NeighboursOf(string runtime)
    {
        // <dotnet>/shared/Microsoft.NETCore.App/10.0.0
        string? shared = Path.GetDirectoryName(Path.GetDirectoryName(runtime));
        string? dotnet = Path.GetDirectoryName(shared);
        if (shared is null || dotnet is null)
            return [];

        string[] candidates = [Path.Combine(shared, "Microsoft.AspNetCore.App"), Path.Combine(dotnet, "sdk")];
        return candidates.Where(Directory.Exists);
    }

    private static List<SourceFile> FilesBelow(string directory) =>
        FilesOf(new DirectoryInfo(directory).EnumerateFiles("*", Walk));

    private static List<SourceFile> FilesOf(IEnumerable<FileInfo> files) =>
    [
        .. files.Where(file => file.Length > 0)
            .Select(file => new SourceFile(file.FullName, file.Length))
            .OrderBy(file => file.Path, StringComparer.Ordinal),
    ];
}
