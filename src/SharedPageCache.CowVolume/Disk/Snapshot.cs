using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow.Disk;

/// <summary>The state of the volume that a commit writes: one pointer, since everything below it is frozen.</summary>
/// <param name="Files">The tree of files.</param>
/// <param name="NextFile">The number that the next file gets.</param>
/// <param name="Generation">The state's generation.</param>
/// <param name="Changes">How many changes the volume had seen.</param>
internal readonly record struct Snapshot(FileTree Files, ulong NextFile, long Generation, long Changes);
