using System.Reflection;

namespace SharedPageCache.HouseTests.Surface;

/// <summary>The public surface stands in docs/api as text, so that nobody changes it without seeing that they do.</summary>
public sealed class PublicSurfaceTests
{
    private const string Regenerate =
        "UPDATE_API=1 dotnet test tests/SharedPageCache.HouseTests --filter FullyQualifiedName~PublicSurfaceTests";

    public static TheoryData<string> Assemblies => [.. Repository.ShippedAssemblies];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void The_surface_is_the_one_that_is_checked_in(string assembly)
    {
        string file = Path.Combine(Repository.Root, "docs", "api", assembly + ".txt");
        string now = PublicSurface.Of(Assembly.Load(assembly));
        if (Environment.GetEnvironmentVariable("UPDATE_API") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, now);
        }

        string checkedIn = File.Exists(file) ? File.ReadAllText(file).ReplaceLineEndings("\n") : "";
        Assert.True(checkedIn == now, $"""
            The public surface of {assembly} is not the one in docs/api/{assembly}.txt. If the change is meant, run
                {Regenerate}
            and commit the file, with a line in CHANGELOG.md. The difference:
            {string.Join(Environment.NewLine, LineDiff.Of(checkedIn, now))}
            """);
    }

    [Fact]
    public void No_file_speaks_of_an_assembly_that_is_gone() =>
        Rule.Holds(
            Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs", "api"), "*.txt")
                .Where(file => !Repository.ShippedAssemblies.Contains(Path.GetFileNameWithoutExtension(file)))
                .Select(Repository.Relative),
            "Surfaces of unknown assemblies.");

    [Fact]
    public void A_difference_names_the_type_and_the_lines()
    {
        IReadOnlyList<string> difference = LineDiff.Of(
            "class A\n    int Old()\n    int Same()\n\nclass B\n    int Kept()\n",
            "class A\n    int Same()\n\nclass B\n    int Kept()\n    int New()\n");
        Assert.Equal(["  class A", "-     int Old()", "  class B", "+     int New()"], difference);
    }

    [Fact]
    public void The_writer_knows_the_words_of_the_language() =>
        Rule.Holds(LineDiff.Of(
            """
            abstract class SharedPageCache.HouseTests.Surface.SurfaceExample : IEquatable<string>
                [Obsolete("Old")] static readonly int Answer
                abstract IReadOnlyList<string?>? Names { get; }
                bool Equals(string? other)
                const int Limit = 7
                event Action? Changed
                int Count { get; protected set; }
                override string ToString()
                protected SurfaceExample()
                protected virtual string? Find(in int key, out long value, ref byte state, string? hint = default)
                ref readonly int this[int index] { get; }
                required int Size { get; init; }
                static T[] Make<T>(params ReadOnlySpan<T> items) where T : unmanaged
                static bool operator <(SurfaceExample left, SurfaceExample right)
                static bool operator >(SurfaceExample left, SurfaceExample right)

            [Flags] enum SharedPageCache.HouseTests.Surface.SurfaceExample.Colours : byte
                None = 0
                Red = 1

            delegate void SharedPageCache.HouseTests.Surface.SurfaceExample.Listener(Span<byte> page)

            readonly record struct SharedPageCache.HouseTests.Surface.SurfaceExample.Pair : IEquatable<SurfaceExample.Pair>
                Pair(int Left, int Right)
                int Left { get; init; }
                int Right { get; init; }

            readonly ref struct SharedPageCache.HouseTests.Surface.SurfaceExample.View<T> where T : class, IDisposable, new()
                T? First()

            """.ReplaceLineEndings("\n"),
            PublicSurface.Of(
                typeof(SurfaceExample), typeof(SurfaceExample.Colours), typeof(SurfaceExample.Listener),
                typeof(SurfaceExample.Pair), typeof(SurfaceExample.View<>))),
            "The specimen is written otherwise.");
}
