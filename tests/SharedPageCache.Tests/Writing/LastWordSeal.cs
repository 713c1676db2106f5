namespace SharedPageCache.Tests.Writing;

/// <summary>The last word of a page is the sum of the others and of its address.</summary>
public sealed class LastWordSeal : IPageSeal
{
    public bool Verify(PhysicalBlock block, ReadOnlySpan<byte> page) =>
        BitConverter.ToInt64(page[^8..]) == SumOf(block, page);

    public void Seal(PhysicalBlock block, Span<byte> page) => BitConverter.TryWriteBytes(page[^8..], SumOf(block, page));

    private static long SumOf(PhysicalBlock block, ReadOnlySpan<byte> page)
    {
        var sum = block.Number + 1;
        for (var i = 0; i < page.Length - 8; i++)
        {
            sum = sum * 31 + page[i];
        }

        return sum;
    }
}
