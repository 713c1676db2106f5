using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>Which content the file has, as a number: what tells whether a branch can be merged.</summary>
/// <remarks>
/// <para>
/// Two files with equal numbers show the same bytes. A file that is opened has a number of its own, less than zero. A clone begins with its origin's number, and remembers it as the number
/// that it <em>began with</em>. A file whose content changes takes the stamp that it has then: a number that no file
/// has had as its content before, unless this file has changed since it got the stamp, and then nobody else knows it: whoever
/// takes the number over renews the stamp in the same hold of the gate.
/// </para>
/// <para>
/// A write in place counts nothing: it needs a frame with the file's present stamp, which was shown by a copying write since
/// the stamp was given; and that one has counted. So the hit path of writing has no word of its own to write to.
/// </para>
/// <para>
/// Reading, faults, evictions, leaves that are exchanged for younger ones, write-back and closing change no content and no
/// number, though they may change the tree; that is why the roots of trees are not compared (hazard A3.5).
/// </para>
/// </remarks>
internal sealed partial class FileMapping
{
    /// <summary>Written inside the gate: together, by writers who all write the same; or alone.</summary>
    private long _content;

    /// <summary>The content with which the file was opened, or cloned, or last merged. Inside the gate, alone.</summary>
    private long BegunWith => WritingIfAny is { BegunWith: not 0 and var begun } ? begun : Atomic.LoadAcquire(ref _content);

    /// <summary>The content has changed, or is just changing. Inside the gate.</summary>
    public void NoteContent()
    {
        var (content, stamp) = (Atomic.LoadAcquire(ref _content), Stamp);
        if (content == stamp)
        {
            return;
        }

        // A file that cannot be written has no use for it: nothing can be merged into what it came from.
        if (IsWritable)
        {
            Writing.NoteBeginning(content);
        }

        Atomic.StoreRelease(ref _content, stamp);
    }

    /// <summary>
    /// Whether no change of the file by its engine is under way, so that its tree shows the truth. Exact under the volume's
    /// binding lock for what the cache changes; what the engine changes moves the sequence first.
    /// </summary>
    public bool IsTold => Atomic.LoadAcquire(ref _toldSequence) == SequenceOrUnknown();

    /// <summary>Whether this file shows what a branch began with. Inside both gates, alone, and under the binding lock.</summary>
    public bool IsWhatBeganWith(FileMapping branch) => Atomic.LoadAcquire(ref _content) == branch.BegunWith && IsTold;

    /// <summary>This file has the content of another one from now on. Inside the gate of the other one, alone.</summary>
    private void BeginWith(FileMapping origin) => Atomic.StoreRelease(ref _content, Atomic.LoadAcquire(ref origin._content));
}
