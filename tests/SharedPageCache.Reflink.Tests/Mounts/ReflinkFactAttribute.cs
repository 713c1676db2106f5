namespace SharedPageCache.Reflink.Tests.Mounts;

/// <summary>A test on file systems of its own; skipped, with the reason, where they cannot be made.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ReflinkFactAttribute : FactAttribute
{
    public ReflinkFactAttribute(params FileSystemKind[] needs)
    {
        Needs = needs;
        Skip = needs.Select(LoopMount.WhyNot).FirstOrDefault(static reason => reason is not null);
    }

    public IReadOnlyList<FileSystemKind> Needs { get; }
}
