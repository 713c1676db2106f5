using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>A device that fails while a volume is opened fails the opening; it never takes the volume back to an older state.</summary>
public sealed class OpeningTests
{
    [Fact]
    public async Task No_read_that_fails_at_opening_loses_what_was_acknowledged()
    {
        var disk = new SectorDevice(2 << 20, 512);
        using (var volume = CowVolume.Create(disk))
        {
            for (var i = 0; i < 5; i++)
            {
                await volume.WriteAsync(volume.CreateFile($"file {i}"), 0, WriteBack.Bytes(4096, i));
                await volume.CommitAsync();
            }
        }

        var failed = 0;
        while (Attempt(new FailNthCallDevice(disk, DeviceCalls.Read) { FailAt = failed + 1 }))
        {
            failed++;
            using var again = CowVolume.Open(disk);
            Assert.Equal(5, again.Files.Count);
        }

        Assert.True(failed > 3, $"{failed} reads");
    }

    /// <summary>Opens with one read that fails; returns whether it came.</summary>
    private static bool Attempt(FailNthCallDevice device)
    {
        try
        {
            using var volume = CowVolume.Open(device);
            Assert.False(device.Failures > 0, "opened without knowing what is there");
        }
        catch (IOException)
        {
            Assert.True(device.Failures > 0);
        }

        return device.Failures > 0;
    }
}
