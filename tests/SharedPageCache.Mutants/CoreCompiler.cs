using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace SharedPageCache.Mutants;

/// <summary>
/// Compiles the core as its project does for release, but in memory: its sources are parsed once, and each mutant exchanges one of
/// them. Analyzers are left out.
/// </summary>
internal sealed class CoreCompiler
{
    private readonly string _sources;
    private readonly CSharpCompilation _core;
    private readonly Dictionary<string, SyntaxTree> _trees;

    /// <param name="sources">The directory of the core's project, which was built for release.</param>
    /// <param name="libraries">The directory of the libraries that it uses.</param>
    public CoreCompiler(string sources, string libraries)
    {
        _sources = sources;
        var options = new CSharpParseOptions(LanguageVersion.Latest, preprocessorSymbols: ["TRACE", "RELEASE", "NET", "NET10_0", "NET10_0_OR_GREATER"]);
        var obj = Path.Combine(sources, "obj");
        var generated = Path.Combine(obj, "Release", "net10.0");
        var paths = Directory.EnumerateFiles(sources, "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.StartsWith(obj + Path.DirectorySeparatorChar, StringComparison.Ordinal)
                && !path.StartsWith(Path.Combine(sources, "bin") + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            .Concat(Directory.Exists(generated) ? Directory.EnumerateFiles(generated, "*.cs") : []);
        _trees = paths.ToDictionary(static path => path, path => Parse(File.ReadAllText(path), path));
        var runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string[] used = ["SharedPageCache.Abstractions.dll", "CommunityToolkit.HighPerformance.dll", "Microsoft.Extensions.ObjectPool.dll"];
        var references = Directory.EnumerateFiles(runtime, "*.dll").Where(IsManaged)
            .Concat(used.Select(name => Path.Combine(libraries, name)))
            .Select(static path => MetadataReference.CreateFromFile(path));
        _core = CSharpCompilation.Create("SharedPageCache", _trees.Values, references, new CSharpCompilationOptions(
            OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release, allowUnsafe: true, deterministic: true,
            nullableContextOptions: NullableContextOptions.Enable));

        SyntaxTree Parse(string text, string path) => CSharpSyntaxTree.ParseText(text, options, path, System.Text.Encoding.UTF8);
    }

    /// <summary>Writes the core to a file, with a mutant in it or as it is.</summary>
    /// <returns>Why it does not compile, or null.</returns>
    public string? Compile(Mutant? mutant, string target)
    {
        var core = _core;
        if (mutant is not null)
        {
            var old = _trees[Path.GetFullPath(Path.Combine(_sources, mutant.File))];
            core = core.ReplaceSyntaxTree(old, old.WithChangedText(Microsoft.CodeAnalysis.Text.SourceText.From(
                mutant.ApplyTo(old.ToString()), System.Text.Encoding.UTF8)));
        }

        // Another file every time: who runs the last mutant may have it mapped still.
        File.Delete(target);
        using var stream = File.Create(target);
        var result = core.Emit(stream);
        return result.Success ? null : string.Join("\n", result.Diagnostics.Where(static fault => fault.Severity == DiagnosticSeverity.Error));
    }

    private static bool IsManaged(string path)
    {
        using var stream = File.OpenRead(path);
        using var portable = new System.Reflection.PortableExecutable.PEReader(stream);
        return portable.HasMetadata;
    }
}
