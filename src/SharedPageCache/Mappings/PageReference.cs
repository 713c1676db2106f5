using System.Runtime.CompilerServices;
using SharedPageCache.Frames;

namespace SharedPageCache.Mappings;

/// <summary>What a slot of a leaf says about its page.</summary>
internal enum ReferenceKind
{
    /// <summary>Nothing is known in the slot: the leaf's runs tell.</summary>
    Absent = 0,

    /// <summary>Reads zero; there is no block and there will be no frame.</summary>
    Hole = 1,

    /// <summary>On the device, in the block whose number follows.</summary>
    OnDevice = 2,

    /// <summary>In a frame, if the frame is still in the generation that follows.</summary>
    Resident = 3,
}

/// <summary>
/// One page reference: the 64-bit word of a leaf's slot.
/// </summary>
/// <remarks>
/// <code>
///  63            33 32            2 1  0
/// +----------------+---------------+----+
/// | generation (31)|   frame (31)  | 11 |   resident: the generation stands where the frame's state word has it
/// +----------------+---------------+----+
/// |          block (62)            | 10 |   on device
/// +--------------------------------+----+
/// |              0                 | 01 |   hole
/// |              0                 | 00 |   absent
/// +--------------------------------+----+
/// </code>
/// </remarks>
internal readonly record struct PageReference(long Word)
{
    private const int FrameShift = 2;
    private const long FrameMask = int.MaxValue;

    public static PageReference Absent => default;

    public static PageReference Hole => new((long)ReferenceKind.Hole);

    public ReferenceKind Kind => (ReferenceKind)(Word & 3);

    public bool IsResident
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (Word & 3) == (long)ReferenceKind.Resident;
    }

    public int Frame
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (int)(Word >> FrameShift & FrameMask);
    }

    public int Generation => (int)(Word >>> FrameState.GenerationShift);

    public long Block => Word >>> FrameShift;

    public static PageReference OnDevice(long block) => new(block << FrameShift | (long)ReferenceKind.OnDevice);

    public static PageReference Resident(int frame, int generation) =>
        new((long)generation << FrameState.GenerationShift | (long)frame << FrameShift | (long)ReferenceKind.Resident);

    public override string ToString() => Kind switch
    {
        ReferenceKind.Hole => "hole",
        ReferenceKind.OnDevice => $"on device, block {Block}",
        ReferenceKind.Resident => $"frame {Frame} generation {Generation}",
        _ => "absent",
    };
}
