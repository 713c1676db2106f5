using System.Collections.Immutable;
using System.Reflection.Metadata;

namespace SharedPageCache.HouseTests.Built;

/// <summary>Decodes signatures for what they mention: it reports each type and remembers pointers and volatility.</summary>
internal sealed class SignatureVisitor(Action<EntityHandle> onType)
    : ISignatureTypeProvider<SignatureVisitor.Nothing, object?>
{
    /// <summary>A signature is read for its side effects only.</summary>
    internal readonly struct Nothing;

    private bool _nextIsVolatile;

    public bool SawPointer { get; private set; }

    public bool SawVolatile { get; private set; }

    /// <summary>Forgets what the last signature showed.</summary>
    public void Reset()
    {
        SawPointer = false;
        SawVolatile = false;
        _nextIsVolatile = false;
    }

    public Nothing GetPointerType(Nothing elementType)
    {
        SawPointer = true;
        return default;
    }

    public Nothing GetFunctionPointerType(MethodSignature<Nothing> signature)
    {
        SawPointer = true;
        return default;
    }

    public Nothing GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind)
    {
        onType(handle);
        return default;
    }

    public Nothing GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind)
    {
        TypeReference type = reader.GetTypeReference(handle);
        _nextIsVolatile |= reader.StringComparer.Equals(type.Name, "IsVolatile");
        onType(handle);
        return default;
    }

    public Nothing GetTypeFromSpecification(
        MetadataReader reader, object? context, TypeSpecificationHandle handle, byte rawTypeKind) =>
        reader.GetTypeSpecification(handle).DecodeSignature(this, context);

    public Nothing GetModifiedType(Nothing modifier, Nothing unmodifiedType, bool isRequired)
    {
        SawVolatile |= _nextIsVolatile;
        _nextIsVolatile = false;
        return default;
    }

    public Nothing GetArrayType(Nothing elementType, ArrayShape shape) => default;

    public Nothing GetByReferenceType(Nothing elementType) => default;

    public Nothing GetGenericInstantiation(Nothing genericType, ImmutableArray<Nothing> typeArguments) => default;

    public Nothing GetGenericMethodParameter(object? context, int index) => default;

    public Nothing GetGenericTypeParameter(object? context, int index) => default;

    public Nothing GetPinnedType(Nothing elementType) => default;

    public Nothing GetPrimitiveType(PrimitiveTypeCode typeCode) => default;

    public Nothing GetSZArrayType(Nothing elementType) => default;
}
