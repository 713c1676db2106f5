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
