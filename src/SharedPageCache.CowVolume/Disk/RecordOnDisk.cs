namespace SharedPageCache.Cow.Disk;

/// <summary>The record of a file as its block says it.</summary>
internal sealed record RecordOnDisk(ulong Id, string Name, long Length, NodePointer Root, int Level);
