namespace SharedPageCache;

/// <summary>
/// A branch cannot be merged: the file that it is merged into is not what it was when the branch was made of it. Nothing
/// has changed.
/// </summary>
public sealed class MergeConflictException : InvalidOperationException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="branch">What was to be merged.</param>
    /// <param name="target">The file that it was to be merged into.</param>
    /// <param name="differences">The first ranges in which the two differ.</param>
    /// <param name="message">Why, with the files' names.</param>
    public MergeConflictException(FileId branch, FileId target, IReadOnlyList<FileRange> differences, string message)
        : base(message)
    {
        ArgumentNullException.ThrowIfNull(differences);
        Branch = branch;
        Target = target;
        Differences = differences;
    }

    /// <summary>What was to be merged.</summary>
    public FileId Branch { get; }

    /// <summary>The file that it was to be merged into.</summary>
    public FileId Target { get; }

    /// <summary>
    /// The first ranges in which the two files differ now, as <c>MappedFile.DiffPages</c> lists them: what the branch has
    /// changed, and what was changed in the other file since.
    /// </summary>
    public IReadOnlyList<FileRange> Differences { get; }
}
