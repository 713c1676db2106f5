using System.Diagnostics;

namespace SharedPageCache.TestKit.Models;

/// <summary>A file of a <see cref="FileModel"/>: its handles, what it must hold, and what its branches began with.</summary>
[DebuggerDisplay("file {Number}: {Content.Length} bytes, {Handles.Count} handles")]
internal sealed class ModelledFile
{
    /// <summary>Stands for the content: equal objects, equal bytes. Another one for what may be another content.</summary>
    private object _content = new();

    private object _begun;

    public ModelledFile(int number, MappedFile handle, ModelFile content)
    {
        (Number, Extents, Content, Begun) = (number, handle.Extents, content, content.Clone());
        Handles.Add(handle);
        _begun = _content;
    }

    public int Number { get; }

    public FileId Id => FileId.FromNumber((ulong)Number);

    public IExtentMap Extents { get; }

    public List<MappedFile> Handles { get; } = [];

    public ModelFile Content { get; private set; }

    /// <summary>What it held when it was made, or last merged.</summary>
    public ModelFile Begun { get; private set; }

    /// <summary>What it held when it was last opened anew; null if never. A file that was closed may have been kept, or not.</summary>
    public ModelFile? Reopened { get; private set; }

    /// <summary>How often the cache is still to hear that the extents have changed.</summary>
    public int OwedInvalidations { get; set; }

    /// <summary>The bytes that may have changed since all of it was compared with what is durable.</summary>
    public long ChangedFrom { get; private set; }

    public long ChangedTo { get; private set; } = long.MaxValue;

    public long Length => Content.Length;

    /// <summary>What it held when it was sealed; null if it is not.</summary>
    public ModelFile? Sealed { get; private set; }

    public bool IsSealed => Sealed is not null;

    public void Seal() => Sealed ??= Content.Clone();

    /// <summary>Bytes change, or perhaps stay the same by chance.</summary>
    public void Changes(long from, long to)
    {
        _content = new object();
        ChangedFrom = Math.Min(ChangedFrom, from);
        ChangedTo = Math.Max(ChangedTo, to);
    }

    public void IsDurable() => (ChangedFrom, ChangedTo) = (long.MaxValue, 0);

    public ModelledFile CloneAs(int number, MappedFile clone) => new(number, clone, Content.Clone()) { _content = _content, _begun = _content };

    public bool SurelyIsWhatBeganWith(ModelledFile branch) => _content == branch._begun;

    public bool MayBeWhatBeganWith(ModelledFile branch) =>
        Content.Bytes.SequenceEqual(branch.Begun.Bytes) || (branch.Reopened is { } later && Content.Bytes.SequenceEqual(later.Bytes));

    public void TakeOver(ModelledFile branch)
    {
        (Content, _content) = (branch.Content.Clone(), branch._content);
        (branch.Begun, branch._begun, branch.Reopened) = (branch.Content.Clone(), branch._content, null);
        (ChangedFrom, ChangedTo) = (0, long.MaxValue);
    }

    /// <summary>It was closed, and is open again: nothing is sure of it as a branch, nor of its branches.</summary>
    public void OpenedAnew(MappedFile handle)
    {
        Handles.Clear();
        Handles.Add(handle);
        Reopened = Content.Clone();
        _content = new object();
        _begun = new object();
    }
}
