using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>Reads of byte ranges that are not entirely resident.</summary>
internal sealed class PageReads(Rooms rooms, PageFaults faults)
{
    /// <summary>Reads on the calling thread.</summary>
    public int Read(ReadCursor cursor, FileMapping file, Span<byte> destination)
    {
        EngineCode.ThrowIfInCallback();
        do
        {
            if (!faults.TryFaultMinor(file, cursor.Page, out var hold))
            {
                hold = faults.Fault(cursor.Request(blocking: true));
            }

            try
            {
                cursor.CopyHeld(hold, destination);
            }
            finally
            {
                faults.Release(hold);
            }
        }
        while (!cursor.CopyFollowing(destination));
        return cursor.Done;
    }

    /// <summary>Reads without blocking the thread.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReadAsync(
        ReadCursor cursor, FileMapping file, Memory<byte> destination, CancellationToken cancellationToken)
    {
        EngineCode.ThrowIfInCallback();
        do
        {
            if (!faults.TryFaultMinor(file, cursor.Page, out var hold))
            {
                hold = await faults.FaultAsync(cursor.Request(blocking: false), cancellationToken).ConfigureAwait(false);
            }

            try
            {
                cursor.CopyHeld(hold, destination.Span);
            }
            finally
            {
                faults.Release(hold);
            }
        }
        while (!cursor.CopyFollowing(destination.Span));
        return cursor.Done;
    }

    /// <summary>Begins a read by copying what is resident.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadCursor Begin(FileMapping file, long offset, int length, LoadManner manner = LoadManner.Plain) =>
        new(rooms, file, file.Tree, offset, length, manner);
}
