using System.Diagnostics;
using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>One volume, one opener.</summary>
public sealed class LockTests
{
    [Fact]
    public void A_second_opening_is_refused_until_the_first_is_closed()
    {
        using var path = new TemporaryFile();
        using (var volume = CowVolume.Create(path.Path, new CowVolumeOptions { CapacityBytes = 2 << 20 }))
        {
            Assert.Equal(path.Path, Assert.Throws<VolumeLockedException>(() => CowVolume.Open(path.Path)).Path);
            volume.AssertClean();
        }

        using (CowVolume.Open(path.Path))
        {
            Assert.Throws<VolumeLockedException>(() => CowVolume.Open(path.Path));
            Assert.ThrowsAny<IOException>(() => CowVolume.Create(path.Path));
        }

        CowVolume.Open(path.Path).Dispose();
    }

    [Fact]
    public void Another_process_is_refused_and_refuses()
    {
        if (!OperatingSystem.IsLinux())
        {
            return; // flock(1) is how the other process is played.
        }

        using var path = new TemporaryFile();
        using (CowVolume.Create(path.Path, new CowVolumeOptions { CapacityBytes = 2 << 20 }))
        {
            Assert.Equal(1, Run("-n", path.Path, "true"));
        }

        Assert.Equal(0, Run("-n", path.Path, "true"));
        using var other = Process.Start(new ProcessStartInfo("flock", [path.Path, "cat"]) { RedirectStandardInput = true })!;
        try
        {
            SpinWait.SpinUntil(() => Run("-n", path.Path, "true") == 1, TimeSpan.FromMinutes(1));
            Assert.Throws<VolumeLockedException>(() => CowVolume.Open(path.Path));
        }
        finally
        {
            other.StandardInput.Close();
            other.WaitForExit();
        }

        CowVolume.Open(path.Path).Dispose();

        static int Run(params string[] arguments)
        {
            using var process = Process.Start("flock", arguments);
            process.WaitForExit();
            return process.ExitCode;
        }
    }
}
