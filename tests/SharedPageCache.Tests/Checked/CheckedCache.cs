using System.Runtime.InteropServices;
using SharedPageCache.Tests.Support;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Tests.Checked;

/// <summary>
/// A cache in checked mode over a volume that can be written, which notes what is found. Verifies itself at its end, unless the
/// test has planted a misuse that overwrites memory.
/// </summary>
public sealed class CheckedCache : IDisposable
{
    public const int Page = 512;

    private readonly List<CacheMisuse> _found = [];
    private readonly Lock _lock = new();
    private readonly WriteCache _inner;
    private bool _isSpoiled;

    public CheckedCache(int frames = 32, Action<PageCacheOptions>? configure = null)
    {
        _inner = new WriteCache(frames, Page, deviceLength: 16384 * Page, configure: options =>
        {
            options.Checked = true;
            options.CheckedReport = Note;
            configure?.Invoke(options);
        });
    }

    public PageCache Cache => _inner.Cache;

    public MemoryDevice Device => _inner.Device;

    public IReadOnlyList<CacheMisuse> Found
    {
        get
        {
            lock (_lock)
            {
                return [.. _found];
            }
        }
    }

    /// <summary>A file over the first pages of the device.</summary>
    public MappedFile OpenMapped(long pages = 16) => _inner.OpenMapped(pages);

    /// <summary>Evicts all pages that can be, and has every frame of the quarantine given out once.</summary>
    public void TurnOver()
    {
        var rooms = Cache.Engine.Rooms;
        var taken = new List<int>();
        while (rooms.Supply.TryTake(default, out var frame))
        {
            taken.Add(frame);
        }

        taken.ForEach(rooms.Pool.Push);
    }

    /// <summary>Writes to memory that is somebody else's, as a lessee with a bug does.</summary>
    public static void Scribble(ReadOnlyMemory<byte> memory, int at = 5) => MemoryMarshal.AsMemory(memory).Span[at] ^= 0x40;

    /// <inheritdoc cref="Scribble(ReadOnlyMemory{byte}, int)"/>
    public static unsafe void Scribble(ReadOnlySpan<byte> bytes, int at = 5)
    {
        fixed (byte* first = bytes)
        {
            first[at] ^= 0x40;
        }
    }

    /// <summary>The one misuse that was found. Memory was overwritten: the self-check fails from now on, with the same words.</summary>
    public CacheMisuse AssertCorruption(CacheMisuseKind kind)
    {
        _isSpoiled = true;
        var misuse = AssertOne(kind);
        var error = Assert.Throws<CacheCorruptionException>(Cache.Verify);
        Assert.Contains(misuse.Message, error.Violations);
        return misuse;
    }

    public CacheMisuse AssertOne(CacheMisuseKind kind)
    {
        var misuse = Assert.Single(Found);
        Assert.Equal(kind, misuse.Kind);
        return misuse;
    }

    /// <summary>The test has overwritten memory that only the self-check has looked at.</summary>
    public void Spoiled() => _isSpoiled = true;

    public void Dispose()
    {
        if (_isSpoiled)
        {
            _inner.Abandon();
        }

        _inner.Dispose();
    }

    private void Note(CacheMisuse misuse)
    {
        lock (_lock)
        {
            _found.Add(misuse);
        }
    }
}
