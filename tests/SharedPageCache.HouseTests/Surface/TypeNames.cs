using System.Reflection;

namespace SharedPageCache.HouseTests.Surface;

/// <summary>Writes types as C# writes them, nullable annotations included.</summary>
internal static class TypeNames
{
    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(bool)] = "bool",
        [typeof(byte)] = "byte",
        [typeof(char)] = "char",
        [typeof(decimal)] = "decimal",
        [typeof(double)] = "double",
        [typeof(float)] = "float",
        [typeof(int)] = "int",
        [typeof(long)] = "long",
        [typeof(nint)] = "nint",
        [typeof(nuint)] = "nuint",
        [typeof(object)] = "object",
        [typeof(sbyte)] = "sbyte",
        [typeof(short)] = "short",
        [typeof(string)] = "string",
        [typeof(uint)] = "uint",
        [typeof(ulong)] = "ulong",
        [typeof(ushort)] = "ushort",
        [typeof(void)] = "void",
    };

    /// <summary>A type as used: keywords, arrays, generics, and a question mark where null is allowed.</summary>
    public static string Of(Type type, NullabilityInfo? nullability = null)
    {
        if (type.IsByRef)
        {
            return Of(type.GetElementType()!, nullability);
        }

        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return Of(underlying) + "?";
        }

        string mark = !type.IsValueType && nullability?.ReadState == NullabilityState.Nullable ? "?" : "";
        if (type.IsArray)
        {
            string rank = new(',', type.GetArrayRank() - 1);
            return $"{Of(type.GetElementType()!, nullability?.ElementType)}[{rank}]{mark}";
        }

        if (type.IsPointer)
        {
            return Of(type.GetElementType()!) + "*";
        }

        return (Keywords.TryGetValue(type, out string? keyword) ? keyword : Name(type, nullability)) + mark;
    }

    /// <summary>A type as declared: outer types before a dot, type parameters in angle brackets.</summary>
    public static string Name(Type type, NullabilityInfo? nullability = null)
    {
        if (type.IsGenericParameter)
        {
            return type.Name;
        }

        Type[] arguments = type.GetGenericArguments();
        int inherited = type.DeclaringType?.GetGenericArguments().Length ?? 0;
        string outer = type.DeclaringType is { } declaring ? Name(declaring) + "." : "";
        string simple = type.Name.Split('`')[0];
        if (arguments.Length == inherited)
        {
            return outer + simple;
        }

        NullabilityInfo[] inner = nullability?.GenericTypeArguments ?? [];
        IEnumerable<string> names = arguments.Skip(inherited)
            .Select((argument, index) => Of(argument, inner.Length == arguments.Length ? inner[inherited + index] : null));
        return $"{outer}{simple}<{string.Join(", ", names)}>";
    }

    /// <summary>The where clauses of a generic type or method, each after a space.</summary>
    public static string Constraints(IEnumerable<Type> parameters) => string.Concat(parameters.Select(Constraint));

    private static string Constraint(Type parameter)
    {
        GenericParameterAttributes flags = parameter.GenericParameterAttributes;
        bool isUnmanaged = parameter.GetCustomAttributesData()
            .Any(attribute => attribute.AttributeType.Name == "IsUnmanagedAttribute");
        bool isStruct = flags.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint);
        List<string> parts = [];
        if (isStruct)
        {
            parts.Add(isUnmanaged ? "unmanaged" : "struct");
        }

        if (flags.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint))
        {
            parts.Add("class");
        }

        parts.AddRange(parameter.GetGenericParameterConstraints()
            .Where(type => type != typeof(ValueType)).Select(type => Of(type)).Order(StringComparer.Ordinal));
        if (flags.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint) && !isStruct)
        {
            parts.Add("new()");
        }

        if (flags.HasFlag(GenericParameterAttributes.AllowByRefLike))
        {
            parts.Add("allows ref struct");
        }

        return parts.Count == 0 ? "" : $" where {parameter.Name} : {string.Join(", ", parts)}";
    }
}
