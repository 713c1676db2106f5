using System.Reflection;

namespace SharedPageCache.HouseTests;

/// <summary>Where the sources and the built assemblies of this repository are.</summary>
internal static class Repository
{
    /// <summary>The shipped assemblies, in the order in which they build on each other.</summary>
    public static IReadOnlyList<string> ShippedAssemblies { get; } =
        ["SharedPageCache.Abstractions", "SharedPageCache", "SharedPageCache.Reflink", "SharedPageCache.CowVolume", "SharedPageCache.Sqlite", "SharedPageCache.TestKit"];

    public const string Core = "SharedPageCache";

    public const string Abstractions = "SharedPageCache.Abstractions";

    /// <summary>
    /// The namespace of an assembly's root folder: its own name, but for CowVolume. A namespace of that name would hide
    /// the type CowVolume from every namespace below SharedPageCache.
    /// </summary>
    public static string RootNamespace(string assembly) =>
        assembly == "SharedPageCache.CowVolume" ? "SharedPageCache.Cow" : assembly;

    public static string Root { get; } = FindRoot();

    /// <summary>The built assembly that was copied beside this test assembly.</summary>
    public static string AssemblyPath(string name) => Path.Combine(AppContext.BaseDirectory, name + ".dll");

    public static string DocumentationPath(string name) => Path.Combine(AppContext.BaseDirectory, name + ".xml");

    /// <summary>Every C# file below a folder of the repository, build output left out.</summary>
    public static IEnumerable<string> SourceFiles(string folder)
    {
        string full = Path.Combine(Root, folder);
        return Directory.EnumerateFiles(full, "*.cs", SearchOption.AllDirectories)
            .Where(file => !IsBuildOutput(Path.GetRelativePath(full, file)))
            .Order(StringComparer.Ordinal);
    }

    public static IEnumerable<string> ProjectFiles() =>
        Directory.EnumerateFiles(Root, "*.csproj", SearchOption.AllDirectories)
            .Where(file => !IsBuildOutput(Path.GetRelativePath(Root, file)))
            .Order(StringComparer.Ordinal);

    /// <summary>Every page of the documentation, wherever it lies.</summary>
    public static IEnumerable<string> MarkdownFiles() =>
        Directory.EnumerateFiles(Root, "*.md", SearchOption.AllDirectories)
            .Where(file => !IsBuildOutput(Path.GetRelativePath(Root, file)))
            .Order(StringComparer.Ordinal);

    /// <summary>A path as it is written in messages: from the root, with forward slashes.</summary>
    public static string Relative(string file) => Path.GetRelativePath(Root, file).Replace('\\', '/');

    private static bool IsBuildOutput(string relative) =>
        relative.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj" or "artifacts");

    private static string FindRoot()
    {
        string? recorded = typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(attribute => attribute.Key == "RepositoryRoot")?.Value;
        if (recorded is not null && File.Exists(Path.Combine(recorded, "SharedPageCache.sln")))
        {
            return recorded;
        }

        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "SharedPageCache.sln")))
            {
                return at.FullName;
            }
        }

        throw new InvalidOperationException(
            $"SharedPageCache.sln is neither at '{recorded}' nor above '{AppContext.BaseDirectory}'.");
    }
}
