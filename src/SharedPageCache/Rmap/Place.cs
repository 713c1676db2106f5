namespace SharedPageCache.Rmap;

/// <summary>Where a frame is shown: a slot of the leaves of one family. Names the place by value.</summary>
/// <param name="Packed">(family + 1) in the upper bits, the slot in the lower 16; 0 is no place.</param>
internal readonly record struct Place(long Packed)
{
    private const int SlotBits = 16;

    public Place(int family, int slot)
        : this(((long)(family + 1) << SlotBits) | (uint)slot)
    {
    }

    public bool IsSome => Packed != 0;

    public int Family => (int)(Packed >> SlotBits) - 1;

    public int Slot => (int)(Packed & ((1 << SlotBits) - 1));

    public override string ToString() => IsSome ? $"family {Family} slot {Slot}" : "no place";
}
