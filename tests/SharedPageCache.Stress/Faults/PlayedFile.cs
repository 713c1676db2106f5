namespace SharedPageCache.Stress.Faults;

/// <summary>A file and what it must hold; and what it held when it began, for merges.</summary>
internal sealed class PlayedFile
{
    private readonly List<byte[]> _begun;
    private byte[] _bytes;
    private object _content;
    private object _begunContent;

    /// <summary>A file that was opened, and perhaps filled since: it begins with these bytes, or with something else.</summary>
    public PlayedFile(MappedFile file, byte[] bytes)
        : this(file, bytes, new object(), new object())
    {
    }

    private PlayedFile(MappedFile file, byte[] bytes, object content, object begunContent) =>
        (File, _bytes, _begun, _content, _begunContent) = (file, bytes, [bytes], content, begunContent);

    public MappedFile File { get; set; }

    public byte[] Bytes => _bytes;

    public int Length => _bytes.Length;

    /// <summary>
    /// What the file is going to hold when a write around the cache that is under way has ended, if its engine places in place: then the
    /// cache writes it as any other, and whoever reads in the middle may see it.
    /// </summary>
    public byte[]? Coming { get; set; }

    public PlayedFile CloneAs(MappedFile clone) => new(clone, [.. _bytes], _content, _content);

    /// <summary>The content changes, or perhaps not.</summary>
    public void Change(byte[] bytes) => (_bytes, _content) = (bytes, new object());

    /// <summary>Something was tried that may have changed it: a merge into it may be refused, or not.</summary>
    public void MayHaveChanged() => _content = new object();

    /// <summary>It was closed and opened again: it begins anew with what it holds now, or was found again, and goes on with what it began with.</summary>
    public void Forget()
    {
        (_content, _begunContent) = (new object(), new object());
        _begun.Add(_bytes);
    }

    public bool SurelyIsWhatBeganWith(PlayedFile branch) => branch._begunContent == _content;

    /// <summary>Whether a branch may have begun with the bytes that this file holds.</summary>
    public bool MayBeWhatBeganWith(PlayedFile branch) => branch._begun.Exists(bytes => bytes.AsSpan().SequenceEqual(_bytes));

    public void TakeOver(PlayedFile branch)
    {
        (_bytes, _content) = ([.. branch._bytes], branch._content);
        branch._begunContent = branch._content;
        branch._begun.Clear();
        branch._begun.Add([.. branch._bytes]);
    }

    /// <summary>The bytes with a range replaced, and longer if need be.</summary>
    public byte[] With(int offset, ReadOnlySpan<byte> bytes)
    {
        var with = new byte[Math.Max(_bytes.Length, offset + bytes.Length)];
        _bytes.CopyTo(with, 0);
        bytes.CopyTo(with.AsSpan(offset));
        return with;
    }

    /// <summary>The bytes with zeros in a range, as far as the file goes.</summary>
    public byte[] Zeroed(int offset, int length)
    {
        var zeroed = (byte[])_bytes.Clone();
        zeroed.AsSpan(Math.Min(offset, zeroed.Length), Math.Clamp(zeroed.Length - offset, 0, length)).Clear();
        return zeroed;
    }

    public byte[] Resized(int length)
    {
        var resized = new byte[length];
        _bytes.AsSpan(0, Math.Min(length, _bytes.Length)).CopyTo(resized);
        return resized;
    }
}
