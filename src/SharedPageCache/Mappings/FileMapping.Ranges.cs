namespace SharedPageCache.Mappings;

/// <content>Changes that two files take part in.</content>
internal sealed partial class FileMapping
{
    /// <summary>
    /// Goes into the gates of two files, alone, in the order that all keep who take two. The files may be one.
    /// </summary>
    public static void EnterAlone(FileMapping one, FileMapping other)
    {
        var oneIsFirst = one.Writing.Order <= other.Writing.Order;
        (oneIsFirst ? one : other).EnterAlone();
        if (one != other)
        {
            (oneIsFirst ? other : one).EnterAlone();
        }
    }

    public static void LeaveAlone(FileMapping one, FileMapping other)
    {
        one.LeaveAlone();
        if (one != other)
        {
            other.LeaveAlone();
        }
    }

    /// <summary>
    /// The file has another version from now on, which differs from the last one in a range of windows and perhaps in its
    /// length. Inside the gate, alone, and under the binding lock.
    /// </summary>
    public void Exchange(PageTree fresh, long firstWindow, long lastWindow)
    {
        DropTouches(Tree, firstWindow, lastWindow);
        Become(fresh);
    }
}
