namespace SharedPageCache.Stress.Storms;

/// <summary>
/// The history of one unit of one file, as a list of the writes that it has shown: newer ones are appended before they
/// can be seen on the device. A read may see what was current when it began, or anything newer that was appended by its
/// end: the check of a register.
/// </summary>
internal sealed class Moment(long serial)
{
    private Moment? _next;

    public long Serial { get; } = serial;

    public Moment? Next => Volatile.Read(ref _next);

    public Moment Newest
    {
        get
        {
            var newest = this;
            while (newest.Next is { } next)
            {
                newest = next;
            }

            return newest;
        }
    }

    public void Append(long serial) => Volatile.Write(ref Newest._next, new Moment(serial));

    /// <summary>A history of its own that begins here.</summary>
    public Moment Fork()
    {
        var fork = new Moment(Serial);
        for (var next = Next; next is not null; next = next.Next)
        {
            fork.Append(next.Serial);
        }

        return fork;
    }

    public override string ToString() => Next is { } next ? $"{Serial} -> {next}" : $"{Serial}";
}
