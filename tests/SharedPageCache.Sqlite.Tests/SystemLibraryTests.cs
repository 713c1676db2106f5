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
