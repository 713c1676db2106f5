namespace SharedPageCache.Tests.Support;

/// <summary>Fills a caller's buffer so that a foreign byte in it is seen.</summary>
public static class Canary
{
    public const byte Value = 0xC5;

    public static byte[] Buffer(long length)
    {
        var buffer = new byte[length];
        Array.Fill(buffer, Value);
        return buffer;
    }

    public static void AssertUntouched(ReadOnlySpan<byte> bytes, string what = "the rest of the buffer")
    {
        var at = bytes.IndexOfAnyExcept(Value);
        Assert.True(at < 0, $"{what} was written at {at}");
    }

    /// <summary>A cleared buffer and an untouched one are both right; anything else came from somebody's page.</summary>
    public static void AssertNothingForeign(ReadOnlySpan<byte> bytes)
    {
        var at = bytes.IndexOfAnyExcept(Value, (byte)0);
        Assert.True(at < 0, $"a foreign byte stands at {at}");
    }
}
