namespace SharedPageCache.Stress.Tenants;

/// <summary>A file of a tenant, with what each of its pages holds; version 0 for zeros.</summary>
internal sealed class TenantFile(MappedFile file, PageTag[] pages)
{
    public MappedFile File { get; } = file;

    public PageTag[] Pages { get; } = pages;

    /// <summary>What is wrong with the bytes of a page, or null.</summary>
    public string? FaultOf(int page, ReadOnlySpan<byte> bytes) =>
        Pages[page].Version == 0
            ? bytes.IndexOfAnyExcept((byte)0) is var at and >= 0 ? $"byte {at} of a hole is not zero" : null
            : Pages[page].FaultOf(bytes);
}
