namespace SharedPageCache.Measures;

/// <summary>A file with content in the scratch folder, removed at the end. What was just written is in the system's page cache.</summary>
public sealed class ScratchFile : IDisposable
{
    /// <param name="folder">Where.</param>
    /// <param name="bytes">Its length.</param>
    public ScratchFile(string folder, long bytes)
    {
        Directory.CreateDirectory(folder);
        Path = System.IO.Path.Combine(folder, $"spc-bench-{Environment.ProcessId}-{Guid.NewGuid():N}");
        using var file = File.Create(Path, 1);
        var block = new byte[1 << 20];
        new Random(3).NextBytes(block);
        for (long written = 0; written < bytes; written += block.Length)
        {
            file.Write(block.AsSpan(0, (int)Math.Min(block.Length, bytes - written)));
        }
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>A file that the system has written to the disk, so that it is not written while others are timed.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="bytes">Its length.</param>
    public static ScratchFile OnDisk(string folder, long bytes)
    {
        var scratch = new ScratchFile(folder, bytes);
        using var file = File.OpenHandle(scratch.Path, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.FlushToDisk(file);
        return scratch;
    }

    /// <inheritdoc/>
    public void Dispose() => File.Delete(Path);
}
