namespace SharedPageCache.Mappings;

/// <summary>The unit of a page tree's leaf: 512 pages.</summary>
internal static class Window
{
    public const int Shift = 9;
    public const int Pages = 1 << Shift;
    public const int Mask = Pages - 1;

    public static long Of(long page) => page >> Shift;

    public static int SlotOf(long page) => (int)(page & Mask);
}
