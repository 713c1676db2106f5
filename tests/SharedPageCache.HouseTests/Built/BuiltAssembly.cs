using System.Collections.Concurrent;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace SharedPageCache.HouseTests.Built;

/// <summary>
/// What a built assembly says about itself: its types and everything that each of them mentions, in fields,
/// signatures, locals, instructions, base types, constraints, catch clauses and attributes.
/// </summary>
/// <remarks>
/// Not seen, because the compiler leaves no trace of it: constants of other types (inlined), <c>nameof</c>, and
/// documentation.
/// </remarks>
internal sealed class BuiltAssembly
{
    private static readonly ConcurrentDictionary<string, BuiltAssembly> Cache = new();

    private readonly MetadataReader _metadata;
    private readonly PEReader _image;
    private readonly List<Use> _uses = [];
    private readonly List<Marked> _marks = [];
    private readonly List<DefinedType> _types = [];

    private BuiltAssembly(PEReader image)
    {
        _image = image;
        _metadata = image.GetMetadataReader();
        foreach (TypeDefinitionHandle handle in _metadata.TypeDefinitions)
        {
            ReadType(handle);
        }
    }

    public IReadOnlyList<DefinedType> Types => _types;

    public IReadOnlyList<Use> Uses => _uses;

    public IReadOnlyList<Marked> Marks => _marks;

    public IReadOnlyList<string> References { get; private init; } = [];

    /// <summary>Reads an assembly that was copied beside this test assembly.</summary>
    public static BuiltAssembly Named(string name) =>
        Cache.GetOrAdd(name, static name => Read(File.ReadAllBytes(Repository.AssemblyPath(name))));

    public static BuiltAssembly Read(byte[] bytes)
    {
        using PEReader image = new(new MemoryStream(bytes));
        MetadataReader metadata = image.GetMetadataReader();
        string[] references = [.. metadata.AssemblyReferences.Select(
            handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name)).Order(StringComparer.Ordinal)];
        return new BuiltAssembly(image) { References = references };
    }

    private void ReadType(TypeDefinitionHandle handle)
    {
        TypeDefinition type = _metadata.GetTypeDefinition(handle);
        TypeTarget self = Target(handle)!;
        string simple = _metadata.GetString(type.Name);
        _types.Add(new DefinedType(
            NamespaceOf(handle), self.Outermost, simple.Split('`')[0], self.FullName, IsGenerated(handle)));

        Scribe scribe = new(this, self.Outermost);
        scribe.At(self.FullName, isEventAccessor: false);
        scribe.Mention(type.BaseType);
        scribe.Attributes(type.GetCustomAttributes());
        foreach (InterfaceImplementationHandle implementation in type.GetInterfaceImplementations())
        {
            scribe.Mention(_metadata.GetInterfaceImplementation(implementation).Interface);
        }

        scribe.GenericParameters(type.GetGenericParameters());
        foreach (FieldDefinitionHandle field in type.GetFields())
        {
            ReadField(scribe, self, _metadata.GetFieldDefinition(field));
        }

        foreach (PropertyDefinitionHandle property in type.GetProperties())
        {
            scribe.Attributes(_metadata.GetPropertyDefinition(property).GetCustomAttributes());
        }

        HashSet<MethodDefinitionHandle> eventAccessors = [];
        foreach (EventDefinitionHandle handleOfEvent in type.GetEvents())
        {
            EventDefinition definition = _metadata.GetEventDefinition(handleOfEvent);
            scribe.Attributes(definition.GetCustomAttributes());
            eventAccessors.Add(definition.GetAccessors().Adder);
            eventAccessors.Add(definition.GetAccessors().Remover);
        }

        foreach (MethodDefinitionHandle method in type.GetMethods())
        {
            MethodDefinition definition = _metadata.GetMethodDefinition(method);
            bool isEventAccessor = eventAccessors.Contains(method)
                && HasAttribute(definition.GetCustomAttributes(), "CompilerGeneratedAttribute");
            scribe.At($"{self.FullName}.{_metadata.GetString(definition.Name)}", isEventAccessor);
            ReadMethod(scribe, definition);
        }
    }

    private void ReadField(Scribe scribe, TypeTarget self, FieldDefinition field)
    {
        scribe.At($"{self.FullName}.{_metadata.GetString(field.Name)}", isEventAccessor: false);
        scribe.Signature(visitor => field.DecodeSignature(visitor, null));
        scribe.Attributes(field.GetCustomAttributes());
    }

    private void ReadMethod(Scribe scribe, MethodDefinition method)
    {
        scribe.Signature(visitor => method.DecodeSignature(visitor, null));
        scribe.Attributes(method.GetCustomAttributes());
        scribe.GenericParameters(method.GetGenericParameters());
        foreach (ParameterHandle parameter in method.GetParameters())
        {
            scribe.Attributes(_metadata.GetParameter(parameter).GetCustomAttributes());
        }

        if (method.Attributes.HasFlag(MethodAttributes.PinvokeImpl))
        {
            scribe.Note(Mark.NativeImport);
        }

        if (method.RelativeVirtualAddress == 0 || method.ImplAttributes.HasFlag(MethodImplAttributes.Native))
        {
            return;
        }

        MethodBodyBlock body = _image.GetMethodBody(method.RelativeVirtualAddress);
        if (!body.LocalSignature.IsNil)
        {
            StandaloneSignature locals = _metadata.GetStandaloneSignature(body.LocalSignature);
            scribe.Signature(visitor => locals.DecodeLocalSignature(visitor, null));
        }

        foreach (ExceptionRegion region in body.ExceptionRegions)
        {
            scribe.Mention(region.CatchType);
        }

        foreach (EntityHandle token in IlWalker.Tokens(body.GetILReader()))
        {
            scribe.Mention(token);
        }
    }

    private TypeTarget? Target(EntityHandle handle)
    {
        switch (handle.Kind)
        {
            case HandleKind.TypeDefinition:
                TypeDefinition definition = _metadata.GetTypeDefinition((TypeDefinitionHandle)handle);
                TypeDefinitionHandle declaring = definition.GetDeclaringType();
                return Named(definition.Namespace, definition.Name, declaring.IsNil ? null : Target(declaring), null);
            case HandleKind.TypeReference:
                TypeReference reference = _metadata.GetTypeReference((TypeReferenceHandle)handle);
                EntityHandle scope = reference.ResolutionScope;
                return scope.Kind switch
                {
                    HandleKind.TypeReference => Named(reference.Namespace, reference.Name, Target(scope), null),
                    HandleKind.AssemblyReference => Named(reference.Namespace, reference.Name, null,
                        _metadata.GetString(
                            _metadata.GetAssemblyReference((AssemblyReferenceHandle)scope).Name)),
                    _ => Named(reference.Namespace, reference.Name, null, null),
                };
            default:
                return null;
        }
    }

    private TypeTarget Named(StringHandle space, StringHandle name, TypeTarget? declaring, string? assembly)
    {
        string simple = _metadata.GetString(name);
        if (declaring is not null)
        {
            return declaring with { FullName = $"{declaring.FullName}/{simple}" };
        }

        string full = space.IsNil ? simple : $"{_metadata.GetString(space)}.{simple}";
        return new TypeTarget(assembly, full, full);
    }

    private string NamespaceOf(TypeDefinitionHandle handle)
    {
        TypeDefinition type = _metadata.GetTypeDefinition(handle);
        TypeDefinitionHandle declaring = type.GetDeclaringType();
        return declaring.IsNil ? _metadata.GetString(type.Namespace) : NamespaceOf(declaring);
    }

    private bool IsGenerated(TypeDefinitionHandle handle)
    {
        TypeDefinition type = _metadata.GetTypeDefinition(handle);
        TypeDefinitionHandle declaring = type.GetDeclaringType();
        return _metadata.GetString(type.Name).StartsWith('<')
            || HasAttribute(type.GetCustomAttributes(), "CompilerGeneratedAttribute")
            || HasAttribute(type.GetCustomAttributes(), "GeneratedCodeAttribute")
            || (!declaring.IsNil && IsGenerated(declaring));
    }

    private bool HasAttribute(CustomAttributeHandleCollection attributes, string name) =>
        attributes.Any(handle => AttributeType(handle) is { } type && type.FullName.EndsWith("." + name, StringComparison.Ordinal));

    private TypeTarget? AttributeType(CustomAttributeHandle handle)
    {
        EntityHandle constructor = _metadata.GetCustomAttribute(handle).Constructor;
        return constructor.Kind switch
        {
            HandleKind.MethodDefinition =>
                Target(_metadata.GetMethodDefinition((MethodDefinitionHandle)constructor).GetDeclaringType()),
            HandleKind.MemberReference =>
                Target(_metadata.GetMemberReference((MemberReferenceHandle)constructor).Parent),
            _ => null,
        };
    }

    /// <summary>Writes down the mentions of one type, member by member.</summary>
    private sealed class Scribe
    {
        private readonly BuiltAssembly _assembly;
        private readonly MetadataReader _metadata;
        private readonly string _from;
        private readonly SignatureVisitor _visitor;
        private string _site = "";
        private string? _member;
        private bool _isEventAccessor;

        public Scribe(BuiltAssembly assembly, string from)
        {
            _assembly = assembly;
            _metadata = assembly._metadata;
            _from = from;
            _visitor = new SignatureVisitor(Add);
        }

        public void At(string site, bool isEventAccessor)
        {
            _site = site;
            _isEventAccessor = isEventAccessor;
        }

        public void Note(Mark mark) => _assembly._marks.Add(new Marked(_from, _site, mark));

        public void Signature(Action<SignatureVisitor> decode)
        {
            _visitor.Reset();
            decode(_visitor);
            if (_visitor.SawPointer)
            {
                Note(Mark.Pointer);
            }

            if (_visitor.SawVolatile)
            {
                Note(Mark.VolatileField);
            }
        }

        public void GenericParameters(GenericParameterHandleCollection parameters)
        {
            foreach (GenericParameterHandle handle in parameters)
            {
                GenericParameter parameter = _metadata.GetGenericParameter(handle);
                Attributes(parameter.GetCustomAttributes());
                foreach (GenericParameterConstraintHandle constraint in parameter.GetConstraints())
                {
                    Mention(_metadata.GetGenericParameterConstraint(constraint).Type);
                }
            }
        }

        public void Attributes(CustomAttributeHandleCollection attributes)
        {
            foreach (CustomAttributeHandle handle in attributes)
            {
                CustomAttribute attribute = _metadata.GetCustomAttribute(handle);
                if (_assembly.AttributeType(handle) is { } type)
                {
                    Add(type);
                }

                CustomAttributeValue<string> value;
                try
                {
                    value = attribute.DecodeValue(AttributeTypeNames.Instance);
                }
                catch (BadImageFormatException)
                {
                    continue; // An enum of another size than Int32; such arguments name no type.
                }

                IEnumerable<object?> arguments = value.FixedArguments.Select(argument => argument.Value)
                    .Concat(value.NamedArguments.Select(argument => argument.Value));
                foreach (string name in arguments.OfType<string>())
                {
                    MentionByName(name);
                }
            }
        }

        /// <summary>Writes down what a token of any kind mentions.</summary>
        public void Mention(EntityHandle handle)
        {
            if (handle.IsNil)
            {
                return;
            }

            switch (handle.Kind)
            {
                case HandleKind.TypeDefinition or HandleKind.TypeReference:
                    Add(handle);
                    break;
                case HandleKind.TypeSpecification:
                    _metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(_visitor, null);
                    break;
                case HandleKind.FieldDefinition:
                    FieldDefinition field = _metadata.GetFieldDefinition((FieldDefinitionHandle)handle);
                    MentionMember(field.GetDeclaringType(), field.Name);
                    break;
                case HandleKind.MethodDefinition:
                    MethodDefinition method = _metadata.GetMethodDefinition((MethodDefinitionHandle)handle);
                    MentionMember(method.GetDeclaringType(), method.Name);
                    break;
                case HandleKind.MemberReference:
                    MemberReference member = _metadata.GetMemberReference((MemberReferenceHandle)handle);
                    MentionMember(member.Parent, member.Name);
                    break;
                case HandleKind.MethodSpecification:
                    MethodSpecification specification =
                        _metadata.GetMethodSpecification((MethodSpecificationHandle)handle);
                    Mention(specification.Method);
                    specification.DecodeSignature(_visitor, null);
                    break;
                case HandleKind.StandaloneSignature:
                    StandaloneSignature signature =
                        _metadata.GetStandaloneSignature((StandaloneSignatureHandle)handle);
                    if (signature.GetKind() == StandaloneSignatureKind.Method)
                    {
                        signature.DecodeMethodSignature(_visitor, null);
                    }

                    break;
                default:
                    break; // A module: a global import, caught by its own mark.
            }
        }

        private void MentionMember(EntityHandle owner, StringHandle name)
        {
            _member = _metadata.GetString(name);
            Mention(owner);
            _member = null;
        }

        /// <summary>A typeof in an attribute, or a string that happens to name one of our types: both count.</summary>
        private void MentionByName(string name)
        {
            string full = name.Split(',')[0].Split('[')[0].Replace('+', '/');
            foreach (TypeDefinitionHandle handle in _metadata.TypeDefinitions)
            {
                if (_assembly.Target(handle) is { } target && target.FullName == full)
                {
                    Add(target);
                }
            }
        }

        private void Add(EntityHandle handle)
        {
            if (_assembly.Target(handle) is { } target)
            {
                Add(target);
            }
        }

        private void Add(TypeTarget target) =>
            _assembly._uses.Add(new Use(_from, _site, target, _member, _isEventAccessor));
    }
}
