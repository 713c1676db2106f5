using Microsoft.CodeAnalysis;
using SharedPageCache.HouseTests.Floors;

namespace SharedPageCache.HouseTests.Built;

/// <summary>The reader finds a look upwards wherever C# can hide it, in debug and in release code.</summary>
public sealed class BuiltAssemblyTests
{
    private const string Upstairs =
        """
        namespace SharedPageCache.Faults
        {
            public class Upper
            {
                public static int Count;
                public static int Call() => 1;
                public static T Make<T>() => default!;
                public class Inner { }
            }
            public class UpperError : Exception { }
            public class Box<T> { public static void Put(T item) { } }
            public interface IUpper { }
            public class MarkAttribute(Type type) : Attribute { public Type Type => type; }
        }

        """;

    [Theory]
    [InlineData("Upper _field;")]
    [InlineData("List<Upper[]> _field;")]
    [InlineData("Upper.Inner _field;")]
    [InlineData("void M(ref Upper x) { }")]
    [InlineData("IEnumerable<Upper> P => null!;")]
    [InlineData("event Action<Upper> E;")]
    [InlineData("int M() => Upper.Call();")]
    [InlineData("int M() => Upper.Count;")]
    [InlineData("object M() => new List<Upper>();")]
    [InlineData("object M() => typeof(Upper);")]
    [InlineData("bool M(object x) => x is Upper;")]
    [InlineData("object M(object x) => (Upper)x;")]
    [InlineData("object M() => Array.Empty<Upper>();")]
    [InlineData("void M() => Box<int>.Put(1);")]
    [InlineData("void M() { try { GC.Collect(); } catch (UpperError) { } }")]
    [InlineData("void M() { try { GC.Collect(); } catch (Exception e) when (e is UpperError) { } }")]
    [InlineData("Func<int> M() => () => Upper.Call();")]
    [InlineData("Func<int> M() => Upper.Call;")]
    [InlineData("async Task<int> M() { await Task.Yield(); return Upper.Call(); }")]
    [InlineData("IEnumerable<int> M() { yield return Upper.Call(); }")]
    [InlineData("int M() { return Local(); static int Local() => Upper.Call(); }")]
    [InlineData("void M<T>() where T : Upper { }")]
    [InlineData("class Nested : Upper { }")]
    [InlineData("class Nested : IUpper { }")]
    [InlineData("class Nested<T> where T : IUpper { }")]
    [InlineData("[Mark(null!)] void M() { }")]
    [InlineData("[System.Diagnostics.DebuggerTypeProxy(typeof(Upper))] class Nested { }")]
    [InlineData("int M(int x) { switch (x) { case 0: return 1; case 1: return 3; case 2: return 5; case 3: return 8; default: return Upper.Call(); } }")]
    [InlineData("double M(double x, long y, string s) => x * 1.5 + y * 0x1_0000_0001L + (s + \"text\").Length + Upper.Call();")]
    [InlineData("unsafe int M() { delegate*<int> call = &Upper.Call; return call(); }")]
    public void A_look_upwards_is_found(string member)
    {
        string text = Upstairs + "namespace SharedPageCache.Frames { using SharedPageCache.Faults; class Lower { " + member + " } }";
        foreach (OptimizationLevel optimization in new[] { OptimizationLevel.Debug, OptimizationLevel.Release })
        {
            IReadOnlyList<string> breaches = FloorPlan.Breaches(TryOut.Compile(text, optimization).Uses);
            Assert.NotEmpty(breaches);
            Assert.All(breaches, breach => Assert.StartsWith("Frames (floor 2) must not look at Faults (floor 7)", breach, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void The_upper_room_may_look_down() =>
        Assert.Empty(FloorPlan.Breaches(TryOut.Compile(
            "namespace SharedPageCache.Frames { public class Lower { } }"
            + "namespace SharedPageCache.Faults { using SharedPageCache.Frames; class Upper : Lower { List<Lower> _all = []; } }").Uses));

    [Theory]
    [InlineData("unsafe class C { byte* _at; }", Mark.Pointer)]
    [InlineData("unsafe class C { void M(void* at) { } }", Mark.Pointer)]
    [InlineData("unsafe class C { int M(int[] x) { fixed (int* p = x) return *p; } }", Mark.Pointer)]
    [InlineData("unsafe class C { delegate*<int, void> _call; }", Mark.Pointer)]
    [InlineData("class C { [System.Runtime.InteropServices.DllImport(\"c\")] static extern int getpid(); }", Mark.NativeImport)]
    [InlineData("class C { volatile int _x; }", Mark.VolatileField)]
    [InlineData("class C { static volatile object _x; }", Mark.VolatileField)]
    internal void A_mark_is_found(string text, Mark mark) =>
        Assert.Contains(TryOut.Compile(text).Marks, found => found.Mark == mark && found.From == "C");

    [Theory]
    [InlineData("class C { int M() { Span<byte> x = stackalloc byte[16]; x[3] = 1; return x.Length; } }")]
    [InlineData("class C { ReadOnlySpan<byte> M() => \"text\"u8; int N(in int x, ref long y) => x; }")]
    [InlineData("class C { int M() { ReadOnlySpan<int> x = [1, 2, 3]; return x[1]; } }")]
    public void Safe_spans_show_no_mark(string text)
    {
        foreach (OptimizationLevel optimization in new[] { OptimizationLevel.Debug, OptimizationLevel.Release })
        {
            Assert.DoesNotContain(TryOut.Compile(text, optimization).Marks, found => found.From == "C");
        }
    }

    [Theory]
    [InlineData("class C { void M() { lock (this) { } } }", "System.Threading.Monitor", "Enter")]
    [InlineData("class C { Lock _l = new(); void M() { lock (_l) { } } }", "System.Threading.Lock", "EnterScope")]
    [InlineData("class C { int _x; void M() => Interlocked.Increment(ref _x); }", "System.Threading.Interlocked", "Increment")]
    [InlineData("class C { async Task M() { await Task.Yield(); Thread.Sleep(1); } }", "System.Threading.Thread", "Sleep")]
    [InlineData("class C { [ThreadStatic] static int _x; }", "System.ThreadStaticAttribute", null)]
    public void A_wait_is_found(string text, string type, string? member) =>
        Assert.Contains(TryOut.Compile(text).Uses,
            use => use.From == "C" && use.Target.FullName == type && (member is null || use.Member == member));

    [Fact]
    public void The_accessors_of_a_field_like_event_are_known()
    {
        BuiltAssembly built = TryOut.Compile("class C { event Action E; }");
        Assert.All(
            built.Uses.Where(use => use.Target.FullName == "System.Threading.Interlocked"),
            use => Assert.True(use.IsEventAccessor));
    }
}
