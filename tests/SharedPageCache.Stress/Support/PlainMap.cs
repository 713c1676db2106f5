using System.Buffers;

namespace SharedPageCache.Stress.Support;

/// <summary>Extents in a list, cloned in memory, which tests change at will.</summary>
internal class PlainMap(params Extent[] extents) : ICloneableExtentMap
{
    private Extent[] _extents = extents;
    private long _sequence;

    public virtual long Sequence => Interlocked.Read(ref _sequence);

    /// <summary>What opaque extents of this file hold.</summary>
    public long OpaqueSerial { get; set; } = 1 << 22;

    /// <summary>Called for each question, before it is answered; may throw.</summary>
    public Action? OnAsk { get; set; }

    public Extent[] Extents => Volatile.Read(ref _extents);

    public void Change(params Extent[] extents)
    {
        Interlocked.Increment(ref _sequence);
        Volatile.Write(ref _extents, extents);
    }

    public virtual IExtentMap Clone() => new PlainMap(_extents) { OpaqueSerial = OpaqueSerial };

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        OnAsk?.Invoke();
        foreach (var extent in Extents)
        {
            if (extent.FileOffset < offset + length && extent.FileEnd > offset)
            {
                destination.Write([extent]);
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Asserts that bytes are what the file holds at an offset.</summary>
    public void AssertContent(PlainDevice device, long offset, ReadOnlySpan<byte> bytes)
    {
        var block = device.BlockSize;
        while (!bytes.IsEmpty)
        {
            var part = (int)Math.Min(bytes.Length, block - offset % block);
            var extent = Extents.FirstOrDefault(extent => extent.FileOffset <= offset && offset < extent.FileEnd);
            var serial = extent.Length == 0 || extent.ReadsZero ? Word.Zero
                : extent.IsOpaque ? OpaqueSerial
                : device.SerialOf((int)((extent.PhysicalOffset + offset - extent.FileOffset) / block));
            if (!Word.Matches(bytes[..part], serial, (int)(offset % block)))
            {
                var seen = part >= 8 ? Word.Explain(BitConverter.ToUInt64(bytes)) : Convert.ToHexString(bytes[..part]);
                Assert.Fail($"At {offset} stands {seen}; it should be write {serial}.");
            }

            offset += part;
            bytes = bytes[part..];
        }
    }

    public void AssertReads(PlainDevice device, MappedFile file, long offset = 0, int count = int.MaxValue)
    {
        var buffer = new byte[(int)Math.Min(count, file.Length - offset)];
        Assert.Equal(buffer.Length, file.Read(offset, buffer));
        AssertContent(device, offset, buffer);
    }
}
