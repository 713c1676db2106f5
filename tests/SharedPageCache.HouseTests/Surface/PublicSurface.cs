using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace SharedPageCache.HouseTests.Surface;

/// <summary>
/// Writes down what an assembly shows to its users: one line a type, one indented line a member, sorted, so that a
/// change of the surface is a change of a checked-in file.
/// </summary>
/// <remarks>Members that the compiler adds to a record are left out; the word record stands for them.</remarks>
internal sealed class PublicSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly string[] ShownAttributes =
        ["FlagsAttribute", "ObsoleteAttribute", "ExperimentalAttribute", "SupportedOSPlatformAttribute",
            "UnsupportedOSPlatformAttribute", "EditorBrowsableAttribute"];

    private static readonly Dictionary<string, string> Operators = new()
    {
        ["op_Addition"] = "operator +",
        ["op_Equality"] = "operator ==",
        ["op_Explicit"] = "explicit operator",
        ["op_GreaterThan"] = "operator >",
        ["op_GreaterThanOrEqual"] = "operator >=",
        ["op_Implicit"] = "implicit operator",
        ["op_Inequality"] = "operator !=",
        ["op_LessThan"] = "operator <",
        ["op_LessThanOrEqual"] = "operator <=",
        ["op_Subtraction"] = "operator -",
    };

    private readonly NullabilityInfoContext _nullability = new();

    /// <summary>The surface of an assembly, lines ended by a line feed.</summary>
    public static string Of(Assembly assembly) => Of(assembly.GetExportedTypes());

    /// <summary>The surface of some types, lines ended by a line feed.</summary>
    public static string Of(params IEnumerable<Type> types)
    {
        PublicSurface surface = new();
        return string.Join('\n', types.OrderBy(type => type.FullName, StringComparer.Ordinal).Select(surface.Type));
    }

    private string Type(Type type)
    {
        string header = $"{Attributes(type)}{Header(type)}\n";
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            return header;
        }

        IEnumerable<string> members = type.IsEnum
            ? Enum.GetNames(type).Select(name => $"{name} = {Convert.ToString(
                Convert.ChangeType(Enum.Parse(type, name), Enum.GetUnderlyingType(type), CultureInfo.InvariantCulture),
                CultureInfo.InvariantCulture)}")
            : type.GetMembers(Declared).Select(Member).OfType<string>().Order(StringComparer.Ordinal);
        return header + string.Concat(members.Select(member => $"    {member}\n"));
    }

    private string Header(Type type)
    {
        string name = $"{type.Namespace}.{TypeNames.Name(type)}";
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            MethodInfo invoke = type.GetMethod("Invoke")!;
            return $"delegate {Return(invoke)} {name}({Parameters(invoke)})";
        }

        if (type.IsEnum)
        {
            return $"enum {name} : {TypeNames.Of(Enum.GetUnderlyingType(type))}";
        }

        List<string> bases = [];
        if (type.IsClass && type.BaseType is { } parent && parent != typeof(object))
        {
            bases.Add(TypeNames.Of(parent));
        }

        bases.AddRange(type.GetInterfaces().Where(face => face.IsVisible && !IsInherited(type, face))
            .Select(face => TypeNames.Of(face)).Order(StringComparer.Ordinal));
        string colon = bases.Count == 0 ? "" : $" : {string.Join(", ", bases)}";
        return $"{Kind(type)} {name}{colon}{TypeNames.Constraints(OwnParameters(type))}";
    }

    private static string Kind(Type type)
    {
        if (type.IsInterface)
        {
            return "interface";
        }

        if (type.IsValueType)
        {
            string readOnly = type.IsDefined(typeof(IsReadOnlyAttribute), false) ? "readonly " : "";
            string byRef = type.IsByRefLike ? "ref " : "";
            string record = IsGenerated(type.GetMethod("PrintMembers", Declared)) ? "record " : "";
            return $"{readOnly}{byRef}{record}struct";
        }

        string open = (type.IsAbstract, type.IsSealed) switch
        {
            (true, true) => "static ",
            (true, false) => "abstract ",
            (false, true) => "sealed ",
            _ => "",
        };
        return type.GetMethod("<Clone>$", Declared) is null ? $"{open}class" : $"{open}record class";
    }

    private string? Member(MemberInfo member)
    {
        string? line = member switch
        {
            ConstructorInfo { IsStatic: false } constructor when Access(constructor) is { } access =>
                $"{access}{constructor.DeclaringType!.Name.Split('`')[0]}({Parameters(constructor)})",
            MethodInfo method when IsPlain(method) && Access(method) is { } access =>
                $"{access}{Modifiers(method)}{Return(method)} {MethodName(method)}({Parameters(method)})"
                + TypeNames.Constraints(method.GetGenericArguments().Where(_ => method.IsGenericMethod)),
            PropertyInfo property => Property(property),
            FieldInfo field when !field.IsSpecialName && Access(field) is { } access => Field(field, access),
            EventInfo { AddMethod: { } adder } happening when Access(adder) is { } access =>
                $"{access}{Modifiers(adder)}event {TypeNames.Of(happening.EventHandlerType!, _nullability.Create(happening))} {happening.Name}",
            _ => null,
        };
        return line is null ? null : Attributes(member) + line;
    }

    private string? Property(PropertyInfo property)
    {
        MethodInfo? getter = property.GetMethod;
        MethodInfo? setter = property.SetMethod;
        string? read = getter is null ? null : Access(getter);
        string? write = setter is null ? null : Access(setter);
        if ((read ?? write) is not { } access || property.Name == "EqualityContract")
        {
            return null;
        }

        MethodInfo shown = read is null ? setter! : getter!;
        string accessors = "";
        if (read is not null)
        {
            accessors += "get; ";
        }

        if (write is not null)
        {
            bool isInit = setter!.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));
            accessors += (write == access ? "" : write) + (isInit ? "init; " : "set; ");
        }

        ParameterInfo[] index = property.GetIndexParameters();
        string name = index.Length == 0 ? property.Name : $"this[{string.Join(", ", index.Select(Parameter))}]";
        string required = property.IsDefined(typeof(RequiredMemberAttribute), false) ? "required " : "";
        string reference = shown.ReturnType.IsByRef ? RefKind(shown.ReturnParameter) : "";
        return $"{access}{required}{Modifiers(shown)}{reference}"
            + $"{TypeNames.Of(property.PropertyType, _nullability.Create(property))} {name} {{ {accessors}}}";
    }

    private string Field(FieldInfo field, string access)
    {
        string type = TypeNames.Of(field.FieldType, _nullability.Create(field));
        return field.IsLiteral
            ? $"{access}const {type} {field.Name} = {Literal(field.GetRawConstantValue())}"
            : $"{access}{(field.IsStatic ? "static " : "")}{(field.IsInitOnly ? "readonly " : "")}{type} {field.Name}";
    }

    private string Parameters(MethodBase method) =>
        (method.IsDefined(typeof(ExtensionAttribute), false) ? "this " : "")
        + string.Join(", ", method.GetParameters().Select(Parameter));

    private string Parameter(ParameterInfo parameter)
    {
        string kind = "";
        if (parameter.ParameterType.IsByRef)
        {
            kind = parameter.IsOut ? "out " : parameter.IsIn ? "in " : RefKind(parameter);
        }
        else if (parameter.IsDefined(typeof(ParamArrayAttribute), false)
            || parameter.IsDefined(typeof(ParamCollectionAttribute), false))
        {
            kind = "params ";
        }

        bool isScoped = parameter.IsDefined(typeof(ScopedRefAttribute), false);
        string scoped = isScoped && kind != "params " ? "scoped " : ""; // params says scoped already
        string value = parameter.HasDefaultValue ? $" = {Literal(parameter.RawDefaultValue)}" : "";
        return $"{scoped}{kind}{TypeNames.Of(parameter.ParameterType, _nullability.Create(parameter))} {parameter.Name}{value}";
    }

    private string Return(MethodInfo method) =>
        (method.ReturnType.IsByRef ? RefKind(method.ReturnParameter) : "")
        + TypeNames.Of(method.ReturnType, _nullability.Create(method.ReturnParameter));

    private static string RefKind(ParameterInfo parameter) =>
        parameter.GetCustomAttributesData().Any(attribute =>
            attribute.AttributeType.Name is "IsReadOnlyAttribute" or "RequiresLocationAttribute")
            ? "ref readonly "
            : "ref ";

    private static string MethodName(MethodInfo method) => method.IsGenericMethod
        ? $"{method.Name}<{string.Join(", ", method.GetGenericArguments().Select(type => type.Name))}>"
        : Operators.GetValueOrDefault(method.Name, method.Name);

    private static string Modifiers(MethodInfo method)
    {
        if (method.DeclaringType!.IsInterface)
        {
            return method.IsStatic ? (method.IsAbstract ? "static abstract " : "static ") : method.IsAbstract ? "" : "virtual ";
        }

        if (method.IsStatic)
        {
            return "static ";
        }

        bool overrides = method.GetBaseDefinition() != method;
        return (method.IsAbstract, overrides, method.IsVirtual && !method.IsFinal) switch
        {
            (true, true, _) => "abstract override ",
            (true, false, _) => "abstract ",
            (_, true, _) => method.IsFinal ? "sealed override " : "override ",
            (_, _, true) => method.DeclaringType.IsSealed ? "" : "virtual ",
            _ => "",
        };
    }

    /// <summary>Empty for public, a word for protected, null for what users do not see.</summary>
    private static string? Access(MethodBase method) => Access(
        method.IsPublic, method.IsFamily || method.IsFamilyOrAssembly, method.DeclaringType!);

    private static string? Access(FieldInfo field) => Access(
        field.IsPublic, field.IsFamily || field.IsFamilyOrAssembly, field.DeclaringType!);

    private static string? Access(bool isPublic, bool isProtected, Type declaring) =>
        isPublic ? "" : isProtected && !declaring.IsSealed ? "protected " : null;

    /// <summary>A method that somebody wrote: no accessor, nothing that the compiler adds to a record.</summary>
    private static bool IsPlain(MethodInfo method) =>
        !IsGenerated(method)
        && (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal));

    private static bool IsGenerated(MethodInfo? method) =>
        method is not null && method.IsDefined(typeof(CompilerGeneratedAttribute), false);

    private static bool IsInherited(Type type, Type face) =>
        (type.BaseType?.GetInterfaces().Contains(face) ?? false)
        || type.GetInterfaces().Any(other => other != face && other.GetInterfaces().Contains(face));

    private static IEnumerable<Type> OwnParameters(Type type) =>
        type.GetGenericArguments().Skip(type.DeclaringType?.GetGenericArguments().Length ?? 0);

    private static string Attributes(MemberInfo member)
    {
        IEnumerable<string> shown = member.GetCustomAttributesData()
            .Where(attribute => ShownAttributes.Contains(attribute.AttributeType.Name)
                && !attribute.ConstructorArguments.Any(argument => argument.Value is string text
                    && text.Contains("compiler", StringComparison.OrdinalIgnoreCase)))
            .Select(attribute =>
            {
                string name = attribute.AttributeType.Name.Replace("Attribute", "", StringComparison.Ordinal);
                string arguments = string.Join(", ", attribute.ConstructorArguments.Select(a => Literal(a.Value)));
                return arguments.Length == 0 ? $"[{name}] " : $"[{name}({arguments})] ";
            });
        return string.Concat(shown.Order(StringComparer.Ordinal));
    }

    private static string Literal(object? value) => value switch
    {
        null => "default",
        string text => $"\"{text}\"",
        char letter => $"'{letter}'",
        bool truth => truth ? "true" : "false",
        Enum name => Convert.ToInt64(name, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}
