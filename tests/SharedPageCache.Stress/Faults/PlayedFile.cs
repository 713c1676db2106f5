namespace SharedPageCache.Stress.Faults;

/// <summary>A file and what it must hold; and what it held when it began, for merges.</summary>
internal sealed class PlayedFile(MappedFile file, byte[] bytes)
{
    private byte[] _bytes = bytes;
    private object _content = new();
    private object? _begunContent;

    public MappedFile File { get; set; } = file;

    public byte[] Bytes => _bytes;

    public int Length => _bytes.Length;

    /// <summary>What the file held when it was made as a clone; null if it is none.</summary>
    public byte[]? Begun { get; private set; }

    public PlayedFile CloneAs(MappedFile clone) => new(clone, [.. _bytes]) { _content = _content, _begunContent = _content, Begun = [.. _bytes] };

    /// <summary>The content changes, or perhaps not.</summary>
    public void Change(byte[] bytes) => (_bytes, _content) = (bytes, new object());

    /// <summary>Something was tried that may have changed it: a merge into it may be refused, or not.</summary>
    public void MayHaveChanged() => _content = new object();

    /// <summary>It was closed and opened again: nobody knows any more what it began with.</summary>
    public void Forget() => (_content, _begunContent) = (new object(), new object());

    public bool SurelyIsWhatBeganWith(PlayedFile branch) => branch._begunContent == _content;

    public void TakeOver(PlayedFile branch)
    {
        (_bytes, _content) = ([.. branch._bytes], branch._content);
        (branch.Begun, branch._begunContent) = ([.. branch._bytes], branch._content);
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
