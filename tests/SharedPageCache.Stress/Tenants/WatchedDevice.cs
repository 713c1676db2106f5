using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace SharedPageCache.Stress.Tenants;

/// <summary>
/// A device that looks into the buffers that it is given: memory that is to be filled for a tenant, or written for one, holds
/// nothing of another. It fails and reads short.
/// </summary>
internal sealed class WatchedDevice(IBlockDevice inner, TenantOptions options, Func<IExtentMap, int> tenantOf) : DeviceWrapper(inner)
{
    private readonly ConcurrentQueue<string> _breaches = new();
    private long _words;
    private long _faults;

    public bool IsHealed { get; set; }

    public long WordsWatched => Interlocked.Read(ref _words);

    public long Faults => Interlocked.Read(ref _faults);

    public IReadOnlyCollection<string> Breaches => _breaches;

    public override int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers) =>
        ReadAsync(run, origin, buffers, CancellationToken.None).AsTask().GetAwaiter().GetResult();

    public override async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        foreach (var buffer in buffers)
        {
            Look("to be filled", origin, buffer.Span);
        }

        var number = Random.Shared.Next();
        if (number % 7 == 0)
        {
            await Task.Yield();
        }

        if (!options.Fails || IsHealed || number / 8 % 5 != 0)
        {
            return await base.ReadAsync(run, origin, buffers, cancellationToken);
        }

        // Some bytes arrive, and then it fails, or says that these are all.
        Interlocked.Increment(ref _faults);
        var arrived = await base.ReadAsync(run, origin, buffers, cancellationToken) / 2;
        var position = 0;
        foreach (var buffer in buffers)
        {
            buffer.Span[Math.Clamp(arrived - position, 0, buffer.Length)..].Clear();
            position += buffer.Length;
        }

        return number / 64 % 2 == 0 ? throw new IOException("the disk is broken for the moment.") : arrived;
    }

    public override ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        foreach (var buffer in buffers)
        {
            Look("to be written", origin, buffer.Span);
        }

        if (options.Fails && !IsHealed && Random.Shared.Next() % 5 == 0)
        {
            Interlocked.Increment(ref _faults);
            throw new IOException("the disk cannot be written for the moment.");
        }

        return base.WriteAsync(run, origin, buffers, cancellationToken);
    }

    private void Look(string what, BlockOrigin origin, ReadOnlySpan<byte> bytes)
    {
        var tenant = tenantOf(origin.File);
        Interlocked.Add(ref _words, bytes.Length / 8);
        if (ForeignWord(bytes, tenant) is { } foreign)
        {
            _breaches.Enqueue($"memory {what} for tenant {tenant} at {origin.FileOffset} holds {foreign}");
        }
    }

    /// <summary>The first word that is neither zero, nor the tenant's, nor golden.</summary>
    public static string? ForeignWord(ReadOnlySpan<byte> bytes, int tenant)
    {
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            if (word != 0 && PageTag.Of(word) is var tag && tag.Domain != tenant && tag.Domain != TenantVolume.Golden)
            {
                return tag.ToString();
            }
        }

        return null;
    }
}
