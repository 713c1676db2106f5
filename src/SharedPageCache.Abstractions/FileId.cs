namespace SharedPageCache;

/// <summary>
/// The identity of a file on its volume, as the engine counts it (an inode number and its generation, a table number, a
/// branch number). Opening the same non-empty id twice gives two handles on one tree; <see cref="None"/> opens a file
/// that nobody can open again by name.
/// </summary>
/// <param name="High">Upper 64 bits.</param>
/// <param name="Low">Lower 64 bits.</param>
public readonly record struct FileId(ulong High, ulong Low)
{
    /// <summary>The empty id: an anonymous file.</summary>
    public static FileId None => default;

    /// <summary>Whether this is the empty id.</summary>
    public bool IsNone => High == 0 && Low == 0;

    /// <summary>Makes an id from one number; 0 gives <see cref="None"/>.</summary>
    /// <param name="value">The engine's number of the file.</param>
    public static FileId FromNumber(ulong value) => new(0, value);

    /// <inheritdoc/>
    public override string ToString() => IsNone ? "anonymous" : High == 0 ? $"#{Low}" : $"#{High:x}:{Low:x}";
}
