using System.Diagnostics;
using System.Runtime.InteropServices;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>The native library is the application's choice: the one of the system works as the bundled one does.</summary>
public sealed class SystemLibraryTests
{
    [FactWithSystemLibrary]
    public async Task Branches_with_the_library_of_the_system()
    {
        using var folder = new TemporaryFolder();
        using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(SystemLibraryTests).Assembly.Location, "system", folder.PathOf("system.store")])
        {
            RedirectStandardOutput = true,
        })!;
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal("DELETE 1 0 True\nWAL 1 0 True", said.Trim());
        Assert.Equal(0, process.ExitCode);
    }

    [FactWithSystemLibrary]
    public void A_second_library_in_one_process_is_refused()
    {
        using var store = new TestStore();
        using var folder = new TemporaryFolder();
        var options = new SqliteBranchStoreOptions { CapacityBytes = 8 << 20, NativeLibrary = Program.SystemLibrary };
        var error = Assert.Throws<InvalidOperationException>(() => SqliteBranchStore.Open(folder.PathOf("other"), options));
        Assert.Contains("one only", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_is_the_first_to_use_SQLite_asks_the_bundle()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal((0, "0"), await RunAsync(typeof(SystemLibraryTests).Assembly.Location, folder.PathOf("first.store")));
    }

    [Fact]
    public async Task Without_a_bundle_it_is_said_what_to_reference()
    {
        // The same program, without the assembly that presents the bundle.
        using var folder = new TemporaryFolder();
        var here = new FileInfo(typeof(SystemLibraryTests).Assembly.Location);
        foreach (var file in here.Directory!.EnumerateFiles().Where(static file => file.Extension is ".dll" or ".json"
            && !file.Name.EndsWith(".deps.json", StringComparison.Ordinal) && !file.Name.StartsWith("SQLitePCLRaw.batteries", StringComparison.Ordinal)))
        {
            file.CopyTo(folder.PathOf(file.Name));
        }

        var (code, said) = await RunAsync(folder.PathOf(here.Name), folder.PathOf("first.store"));
        Assert.Equal(1, code);
        Assert.Contains("reference a SQLitePCLRaw bundle", said, StringComparison.Ordinal);
        Assert.Contains(nameof(SqliteBranchStoreOptions.NativeLibrary), said, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Said)> RunAsync(string program, string store)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [program, "first", store]) { RedirectStandardOutput = true })!;
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, said.Trim());
    }

    private sealed class FactWithSystemLibraryAttribute : FactAttribute
    {
        public FactWithSystemLibraryAttribute()
        {
            if (!NativeLibrary.TryLoad(Program.SystemLibrary, out _))
            {
                Skip = $"the system has no {Program.SystemLibrary}";
            }
        }
    }
}
