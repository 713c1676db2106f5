using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace SharedPageCache.HouseTests.Sources;

/// <summary>A source file seen as tokens, so that comments and strings are not mistaken for code.</summary>
internal sealed class SourceFile
{
    private static readonly CSharpParseOptions Options = new(LanguageVersion.Preview, DocumentationMode.None);

    private readonly string _name;
    private readonly SyntaxNode _root;

    private SourceFile(string name, string text)
    {
        _name = name;
        _root = CSharpSyntaxTree.ParseText(text, Options).GetRoot();
    }

    public static SourceFile Read(string path) => new(Repository.Relative(path), File.ReadAllText(path));

    public static SourceFile FromText(string text) => new("text", text);

    public IEnumerable<string> Namespaces => _root.DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>()
        .Select(declaration => declaration.Name.ToString());

    /// <summary>Unsafe code: the keyword, pointers, fixed, native imports, and the classes that bypass the checks.</summary>
    public IEnumerable<string> UnsafeCode() => Tokens(token =>
            token.Kind() is SyntaxKind.UnsafeKeyword or SyntaxKind.FixedKeyword or SyntaxKind.ExternKeyword
            || (token.Kind() is SyntaxKind.IdentifierToken && token.ValueText is "Unsafe" or "MemoryMarshal"
                or "NativeMemory" or "DllImport" or "LibraryImport" or "UnsafeAccessor" or "SkipLocalsInit"))
        .Concat(_root.DescendantNodes().Where(node => node is PointerTypeSyntax or FunctionPointerTypeSyntax)
            .Select(node => Say(node.GetLocation(), node.ToString())));

    /// <summary>The two keywords that wait or order behind the back of the Concurrency room.</summary>
    public IEnumerable<string> LocksAndVolatiles() =>
        Tokens(token => token.Kind() is SyntaxKind.LockKeyword or SyntaxKind.VolatileKeyword);

    private IEnumerable<string> Tokens(Func<SyntaxToken, bool> isMeant) => _root.DescendantTokens()
        .Where(isMeant).Select(token => Say(token.GetLocation(), token.ValueText));

    private string Say(Location location, string what) =>
        $"{_name}:{location.GetLineSpan().StartLinePosition.Line + 1}: {what}";
}
