using SharedPageCache.Cow.Disk;

namespace SharedPageCache.Cow.Tests;

/// <summary>The checksum is the one that the format names.</summary>
public sealed class ChecksumTests
{
    [Fact]
    public void The_checksum_is_crc32c()
    {
        Assert.Equal(0xE3069283u, Checksum.Of("123456789"u8));
        Assert.Equal(0x8A9136AAu, Checksum.Of(new byte[32]));
        Assert.Equal(0u, Checksum.Of([]));
    }
}
