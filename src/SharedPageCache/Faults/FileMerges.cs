using SharedPageCache.Mappings;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>
/// The merge of a branch: the file that the branch was made of shows what the branch shows, if it is still what the branch
/// began with. One step of both gates (alone) and the volume's binding lock, with the engine's hook in it.
/// </summary>
/// <remarks>
/// <para>
/// <b>Root swap.</b> The file gets the branch's very tree, as a clone would; nothing is copied, written or read, dirty pages are
/// shared. Both files get new stamps: neither owns a node that both show. A reader that began before has the old tree.
/// </para>
/// <para>
/// <b>Unchanged</b> is decided by the number of the content (see FileMapping.Versions.cs) inside the same hold.
/// </para>
/// <para>
/// <b>The turn of the length</b> is held: who makes the file longer has looked at its tail, and must find it so.
/// </para>
/// <para>
/// <b>Cost</b>: the hook, the windows in which the two trees differ, and, if anything on the volume is dirty, the windows that
/// the branch has in memory.
/// </para>
/// </remarks>
internal sealed class FileMerges(Rooms rooms, ProvisionalFrames provisional)
{
    /// <summary>Ranges that the exception names.</summary>
    private const int MostDifferences = 16;

    /// <exception cref="MergeConflictException">The target is not what the branch began with.</exception>
    public async ValueTask MergeAsync(FileMapping branch, FileMapping target, bool blocking, CancellationToken cancellationToken)
    {
        await FileShapes.EnterAsync(target, blocking, cancellationToken).ConfigureAwait(false);
        try
        {
            if (TryMerge(branch, target))
            {
                return;
            }
        }
        finally
        {
            target.Writing.LengthTurn.Give();
        }

        var differences = await new PageDifference(target, branch).FindAsync(MostDifferences, blocking, cancellationToken).ConfigureAwait(false);
        throw new MergeConflictException(
            branch.Id, target.Id, differences,
            $"{NameOf(branch)} cannot be merged into {NameOf(target)}, which is not what it was when the branch was made of it. The first differences: {string.Join(", ", differences)}.");
    }

    private bool TryMerge(FileMapping branch, FileMapping target)
    {
        var lost = new List<PageReference>();
        FileMapping.EnterAlone(branch, target);
        target.Volume.Binding.Enter();
        try
        {
            branch.ThrowIfClosed();
            target.ThrowIfUnwritable();
            if (!target.IsWhatBeganWith(branch))
            {
                return false;
            }

            target.TakeOver(branch, lost);
            var walk = provisional.NewWalk();
            foreach (var reference in lost)
            {
                provisional.Lost(target.Volume, reference, walk, stamp: 0);
            }
        }
        finally
        {
            target.Volume.Binding.Exit();
            FileMapping.LeaveAlone(branch, target);
        }

        rooms.Writeback.Activity.Increment();
        return true;
    }

    private static string NameOf(FileMapping file) => file.Name ?? file.Id.ToString();
}
