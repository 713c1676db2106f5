using SharedPageCache.HouseTests.Sources;

namespace SharedPageCache.HouseTests;

/// <summary>The shape of the repository: what lies where, and how long a file may be.</summary>
public sealed class RepositoryTests
{
    private const int LongestFile = 500;

    private static readonly HashSet<string> TopLevel = new(StringComparer.Ordinal)
    {
        "benchmarks", "docs", "samples", "src", "tests",
        "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md",
        "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props",
        "SharedPageCache.sln", "global.json",
    };

    /// <summary>What builds, tests and benchmarks leave behind; git ignores it.</summary>
    private static readonly HashSet<string> Output = new(StringComparer.Ordinal)
    {
        "artifacts", "publish", "TestResults", "BenchmarkDotNet.Artifacts",
    };

    [Fact]
    public void The_top_level_holds_what_it_should_and_nothing_else() =>
        Rule.Holds(
            new DirectoryInfo(Repository.Root).EnumerateFileSystemInfos().Select(entry => entry.Name)
                .Where(name => !name.StartsWith('.') && !TopLevel.Contains(name) && !Output.Contains(name))
                .Order(StringComparer.Ordinal),
            "Unknown entries at the top level of the repository.");

    [Fact]
    public void No_source_file_is_longer_than_500_lines() =>
        Rule.Holds(
            Repository.SourceFiles("src")
                .Select(file => (Name: Repository.Relative(file), Lines: File.ReadLines(file).Count()))
                .Where(file => file.Lines > LongestFile)
                .Select(file => $"{file.Name}: {file.Lines} lines"),
            $"Files of more than {LongestFile} lines. One noun a file.");

    [Fact]
    public void A_folder_is_a_namespace()
    {
        List<string> breaches = [];
        foreach (string assembly in Repository.ShippedAssemblies.Where(name => name != Repository.Abstractions))
        {
            string source = Path.Combine(Repository.Root, "src", assembly);
            foreach (string file in Repository.SourceFiles(source))
            {
                string? folder = Path.GetDirectoryName(Path.GetRelativePath(source, file));
                string root = Repository.RootNamespace(assembly);
                string room = string.IsNullOrEmpty(folder) ? root : $"{root}.{folder.Split(Path.DirectorySeparatorChar)[0]}";
                breaches.AddRange(SourceFile.Read(file).Namespaces
                    .Where(name => name != room && !(room != root && name.StartsWith(room + ".", StringComparison.Ordinal)))
                    .Select(name => $"{Repository.Relative(file)}: namespace {name}, expected {room}"));
            }
        }

        Rule.Holds(breaches, "Floors are kept by namespace, so a file's namespace is its folder.");
    }

    [Fact]
    public void The_abstractions_have_one_namespace() =>
        Rule.Holds(
            Repository.SourceFiles($"src/{Repository.Abstractions}")
                .SelectMany(file => SourceFile.Read(file).Namespaces
                    .Where(name => name != Repository.Core)
                    .Select(name => $"{Repository.Relative(file)}: namespace {name}")),
            "The engine's side is one namespace, SharedPageCache.");

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        string solution = File.ReadAllText(Path.Combine(Repository.Root, "SharedPageCache.sln")).Replace('\\', '/');
        Rule.Holds(
            Repository.ProjectFiles().Select(Repository.Relative)
                .Where(project => !project.StartsWith('.') && !solution.Contains($"\"{project}\"", StringComparison.Ordinal)),
            "Projects that `dotnet build` and `dotnet test` at the top would miss.");
    }

    [Fact]
    public void Every_shipped_assembly_is_under_the_house_rules() =>
        Assert.Equal(
            Directory.EnumerateDirectories(Path.Combine(Repository.Root, "src"))
                .Where(folder => Directory.EnumerateFiles(folder, "*.csproj").Any())
                .Select(Path.GetFileName).Order(StringComparer.Ordinal),
            Repository.ShippedAssemblies.Order(StringComparer.Ordinal));
}
