namespace SharedPageCache.HouseTests.Sources;

/// <summary>The scanner that other rules rest on finds what it should and nothing else.</summary>
public sealed class SourceFileTests
{
    [Theory]
    [InlineData("class C { unsafe void M() { } }")]
    [InlineData("class C { void M(byte* p) { } }")]
    [InlineData("class C { delegate*<int, void> _f; }")]
    [InlineData("class C { [DllImport(\"c\")] static void M(); }")]
    [InlineData("partial class C { [LibraryImport(\"c\")] static partial void M(); }")]
    [InlineData("class C { int M(ref int x) => Unsafe.Add(ref x, 1); }")]
    [InlineData("class C { int M(byte[] x) => System.Runtime.InteropServices.MemoryMarshal.Read<int>(x); }")]
    [InlineData("class C { string M => $\"{Unsafe.SizeOf<int>()}\"; }")]
    public void Unsafe_code_is_found(string text) => Assert.NotEmpty(SourceFile.FromText(text).UnsafeCode());

    [Theory]
    [InlineData("class C { /* unsafe byte* */ } // Unsafe")]
    [InlineData("class C { string M => \"unsafe MemoryMarshal\"; }")]
    [InlineData("class C { string M => \"\"\"unsafe \"fixed\" \"\"\"; }")]
    [InlineData("class C { int M(int a, int b) => a * b; void UnsafeIsOnlyPartOfThisName() { } }")]
    public void Safe_code_is_left_alone(string text) => Assert.Empty(SourceFile.FromText(text).UnsafeCode());

    [Theory]
    [InlineData("class C { void M() { lock (this) { } } }")]
    [InlineData("class C { volatile int _x; }")]
    public void Locks_and_volatiles_are_found(string text) =>
        Assert.Single(SourceFile.FromText(text).LocksAndVolatiles());

    [Theory]
    [InlineData("class C { /* lock */ string M => \"volatile\"; void Lock() { } } // volatile")]
    public void Talk_of_locks_is_left_alone(string text) => Assert.Empty(SourceFile.FromText(text).LocksAndVolatiles());
}
