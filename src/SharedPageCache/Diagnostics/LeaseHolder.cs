using System.Diagnostics;

namespace SharedPageCache.Diagnostics;

/// <summary>One lease as checked mode knows it: whose, of what, where it was taken, and what the bytes were.</summary>
/// <remarks>Refers to no lease, file or cache: a lease that nobody else refers to is collected, and told.</remarks>
internal sealed class LeaseHolder(LeaseKind kind, FileId file, string? fileName, long offset, int frame, uint? sum, StackTrace takenAt)
{
    private readonly int _thread = Environment.CurrentManagedThreadId;

    /// <summary>Counts the leases; set when the lease is entered.</summary>
    public long Number { get; set; }

    public LeaseKind Kind => kind;

    public int Frame => frame;

    /// <summary>The checksum of the page when it was leased; null for a page that its lessee writes.</summary>
    public uint? Sum => sum;

    /// <summary>The thread that gave the lease back, and where; none while it is held.</summary>
    public (int Thread, StackTrace? At) Ended { get; set; }

    public string TakenAt => takenAt.ToString().TrimEnd();

    public PageHolder ForUsers() => new(Number, kind, file, fileName, offset, new FrameIndex(frame), _thread, TakenAt);

    public override string ToString() =>
        $"{kind} lease {Number} of file {fileName ?? file.ToString()} at {offset}, taken by thread {_thread}"
        + (Ended.Thread == 0 ? "" : $" and given back by thread {Ended.Thread}{(Ended.At is { } at ? $"{Environment.NewLine}{at.ToString().TrimEnd()}{Environment.NewLine}" : "")}");
}
