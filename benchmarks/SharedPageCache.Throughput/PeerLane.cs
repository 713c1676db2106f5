using System.Runtime.InteropServices;
using SharedPageCache.Measures;
using SharedPageCache.Measures.Peers;

namespace SharedPageCache.Throughput;

/// <summary>Makes a lane of a peer, a pattern and a crew.</summary>
internal static class PeerLane
{
    private const int PageSize = PeerWorkload.PageSize;

    [ThreadStatic]
    private static Memory<byte>? t_buffer;

    public static Lane Of(string name, IPeerCache cache, Pattern pattern, Crew crew, int operations) =>
        new(name, operations, static _ => { })
        {
            Timed = batch => crew.Run(operations, thread => Access(cache, pattern, pattern.Part(batch, thread, operations))),
        };

    /// <summary>Reads, and writes if asked, every page of a file once.</summary>
    public static void Fill(IPeerCache cache, long bytes, bool writes, int file = 0)
    {
        var page = new byte[PageSize];
        for (long offset = 0; offset < bytes; offset += PageSize)
        {
            cache.Read(file, offset, page);
            if (writes)
            {
                cache.Write(file, offset, page);
            }

            cache.Read(file, offset, page);
        }
    }

    private static void Access(IPeerCache cache, Pattern pattern, Range part)
    {
        var buffer = (t_buffer ??= AtPage()).Span;
        var offsets = pattern.Offsets(part);
        var writes = pattern.Writes(part);
        for (var i = 0; i < offsets.Length; i++)
        {
            if (writes[i])
            {
                cache.Write(0, offsets[i], buffer);
            }
            else
            {
                cache.Read(0, offsets[i], buffer);
            }
        }
    }

    /// <summary>
    /// A buffer at the beginning of a page of memory. One that begins a few bytes behind the place in its page that is copied from is several
    /// times slower to copy to, for the processor takes loads to depend on stores whose addresses agree in the last twelve bits; and threads
    /// would differ in it by chance.
    /// </summary>
    private static Memory<byte> AtPage()
    {
        var bytes = GC.AllocateArray<byte>(2 * PageSize, pinned: true);
        var address = Marshal.UnsafeAddrOfPinnedArrayElement(bytes, 0);
        return bytes.AsMemory((int)(-address & (PageSize - 1)), PageSize);
    }
}
