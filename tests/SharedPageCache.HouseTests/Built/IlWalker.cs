using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace SharedPageCache.HouseTests.Built;

/// <summary>Walks the instructions of a method body and yields the metadata tokens in them.</summary>
internal static class IlWalker
{
    private static readonly Dictionary<int, OpCode> OneByte = [];
    private static readonly Dictionary<int, OpCode> TwoByte = [];

    static IlWalker()
    {
        foreach (System.Reflection.FieldInfo field in typeof(OpCodes).GetFields())
        {
            if (field.GetValue(null) is OpCode code)
            {
                (code.Size == 1 ? OneByte : TwoByte)[code.Value & 0xFF] = code;
            }
        }
    }

    /// <summary>The type, member and signature tokens of a body, in order; strings are left out.</summary>
    /// <exception cref="BadImageFormatException">The bytes are not a sequence of known instructions.</exception>
    public static List<EntityHandle> Tokens(BlobReader il)
    {
        List<EntityHandle> tokens = [];
        while (il.RemainingBytes > 0)
        {
            int offset = il.Offset;
            int first = il.ReadByte();
            bool known = first == 0xFE
                ? TwoByte.TryGetValue(il.ReadByte(), out OpCode code)
                : OneByte.TryGetValue(first, out code);
            if (!known)
            {
                throw new BadImageFormatException($"No instruction starts at offset {offset} (byte 0x{first:X2}).");
            }

            switch (code.OperandType)
            {
                case OperandType.InlineField:
                case OperandType.InlineMethod:
                case OperandType.InlineSig:
                case OperandType.InlineTok:
                case OperandType.InlineType:
                    tokens.Add(MetadataTokens.EntityHandle(il.ReadInt32()));
                    break;
                case OperandType.InlineSwitch:
                    int branches = il.ReadInt32();
                    il.Offset += branches * sizeof(int);
                    break;
                default:
                    il.Offset += OperandSize(code.OperandType);
                    break;
            }
        }

        return tokens;
    }

    private static int OperandSize(OperandType operand) => operand switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineBrTarget or OperandType.InlineI or OperandType.InlineString or OperandType.ShortInlineR => 4,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => throw new BadImageFormatException($"An instruction has the unknown operand kind {operand}."),
    };
}
