namespace SharedPageCache;

/// <summary>An optional checksum pair of a volume: verify what was read, seal what is written.</summary>
public interface IPageSeal
{
    /// <summary>Checks a page that was just read from the device.</summary>
    /// <param name="block">The block it was read from.</param>
    /// <param name="page">The whole page.</param>
    /// <returns>Whether the page is intact; false fails the load with a typed error.</returns>
    bool Verify(PhysicalBlock block, ReadOnlySpan<byte> page);

    /// <summary>Seals a page image that is about to be written. Works on a copy: cached bytes never change by sealing.</summary>
    /// <param name="block">The block it will be written to.</param>
    /// <param name="page">The image, which the seal may change.</param>
    void Seal(PhysicalBlock block, Span<byte> page);
}
