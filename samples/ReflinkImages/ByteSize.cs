namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>Sizes as people read them.</summary>
internal static class ByteSize
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>Writes a size in the unit that leaves it below 1024, for example "78.4 MiB".</summary>
    /// <param name="bytes">The size in bytes.</param>
    public static string Text(double bytes)
    {
        int unit = 0;
        for (; bytes >= 1024 && unit < Units.Length - 1; unit++)
            bytes /= 1024;
        return $"{bytes:0.#} {Units[unit]}";
    }
}
