using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace SharedPageCache.HouseTests.Built;

/// <summary>Compiles a few lines in memory, so that the rules can be tried on code that breaks them.</summary>
internal static class TryOut
{
    private static readonly MetadataReference[] Runtime =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal))
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    /// <summary>Compiles the text, with the usings that the projects have implicitly.</summary>
    public static BuiltAssembly Compile(string text, OptimizationLevel optimization = OptimizationLevel.Release)
    {
        const string Usings = "using System; using System.Threading; using System.Threading.Tasks; using System.Collections.Generic;";
        CSharpCompilation compilation = CSharpCompilation.Create(
            "TryOut",
            [CSharpSyntaxTree.ParseText(Usings + text)],
            Runtime,
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary, optimizationLevel: optimization, allowUnsafe: true));
        using MemoryStream image = new();
        Microsoft.CodeAnalysis.Emit.EmitResult result = compilation.Emit(image);
        Assert.True(result.Success, string.Join(Environment.NewLine, result.Diagnostics));
        return BuiltAssembly.Read(image.ToArray());
    }
}
