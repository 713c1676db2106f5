using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// One device read under way: a run of neighbouring blocks into as many frames, or the pieces of one composite page.
/// </summary>
/// <remarks>
/// The loader pins every frame until the device is done with it, so neither a discard nor a failure frees a frame that
/// the device may still write. Who waits for a page pins its frame too and finds out afterwards, by the frame's state,
/// whether the load was good.
/// </remarks>
internal sealed class LoadOperation(FileMapping file, Leaf leaf, FileMapping.Cookie cookie, long firstPage)
{
    private readonly Completion _done = new();

    /// <summary>The file that the load is read through.</summary>
    public FileMapping File { get; } = file;

    public Leaf Leaf { get; } = leaf;

    public FileMapping.Cookie Cookie { get; } = cookie;

    public long FirstPage { get; } = firstPage;

    public List<LoadedFrame> Frames { get; } = new(1);

    /// <summary>The pieces of a composite page; null for a run of blocks.</summary>
    public WindowRun[]? Pieces { get; init; }

    /// <summary>What the caller has said about the pages.</summary>
    public LoadManner Manner { get; init; }

    /// <summary>
    /// Whether bytes of the page can only be read through the file: then they are what that file said while it was read,
    /// and not a block that stays what it is until it is discarded.
    /// </summary>
    public bool IsOpaque => Pieces is { } pieces && Array.Exists(pieces, static piece => piece.IsOpaque);

    /// <summary>Why the load failed, or null.</summary>
    public Exception? Error { get; private set; }

    /// <summary>Whether the load was called off because blocks or extents changed: who waited asks again.</summary>
    public bool IsSuperseded { get; private set; }

    /// <summary>One frame of a load.</summary>
    public readonly record struct LoadedFrame(int Frame, int Generation, BlockIdentity Identity);

    /// <summary>
    /// Whether its failure may be the origin's own, so that another file should try through itself: it was closed, its extents have
    /// moved, or are just moving.
    /// </summary>
    public bool OriginIsGone => File.IsClosed || !File.Holds(Cookie) || !File.IsTold;

    /// <summary>How many pages the load brings from the one in a frame of it on.</summary>
    public int PagesFrom(int frame) => Frames.Count - Frames.FindIndex(loaded => loaded.Frame == frame);

    public void Complete(Exception? error, bool superseded)
    {
        Error = error;
        IsSuperseded = superseded;
        _done.Set();
    }

    public async ValueTask WaitAsync(bool blocking, CancellationToken cancellationToken)
    {
        if (_done.IsSet)
        {
            return;
        }

        if (blocking)
        {
            _done.Wait();
        }
        else
        {
            await _done.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
