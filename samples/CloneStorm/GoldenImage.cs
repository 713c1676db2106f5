using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// A volume in a temporary file that holds one image: real files, each starting on a page of its own. Disposing deletes
/// the file.
/// </summary>
internal sealed class GoldenImage : IDisposable
{
    /// <summary>The unit of the volume in bytes: what direct I/O asks for on any common disk.</summary>
    private const int BlockBytes = 4096;

    /// <summary>The head of the volume, which belongs to no file: where an engine keeps its superblock.</summary>
    private const int HeadBytes = 1 << 20;

    private const int CopyBytes = 1 << 20;

    private GoldenImage(string volumePath, ImageExtents extents, long sourceBytes)
    {
        VolumePath = volumePath;
        Extents = extents;
        SourceBytes = sourceBytes;
        Fingerprint = new ImageFingerprint(extents.Length);
    }

    /// <summary>The file that plays the disk.</summary>
    public string VolumePath { get; }

    /// <summary>Where on the volume each part of the image lies.</summary>
    public ImageExtents Extents { get; }

    /// <summary>The length of the image in bytes: the source files and what rounds each up to whole pages.</summary>
    public long Length => Extents.Length;

    /// <summary>The sum of the lengths of the source files in bytes.</summary>
    public long SourceBytes { get; }

    /// <summary>What every clone must read as.</summary>
    public ImageFingerprint Fingerprint { get; }

    /// <summary>What there is to say of the image when it is gone.</summary>
    public ImageFigures Figures => new(SourceBytes, Length, Extents.Count, Fingerprint.Sha256);

    /// <summary>Packs files into a new volume.</summary>
    /// <param name="source">The files.</param>
    /// <param name="pageSize">The page size of the cache in bytes: no two files share a page.</param>
    /// <param name="step">Is told of each byte packed.</param>
    /// <param name="cancellationToken">Ends the work early; nothing is left behind.</param>
    /// <exception cref="IOException">A source cannot be read, or has become shorter meanwhile.</exception>
    public static GoldenImage Pack(
        SourceTree source, int pageSize, ProgressStep step, CancellationToken cancellationToken)
    {
        long[] lengths = [.. source.Files.Select(file => file.Length)];
        ImageExtents extents = ImageExtents.Scatter(lengths, Math.Max(pageSize, BlockBytes), HeadBytes);
        string path = Path.Combine(Path.GetTempPath(), $"clonestorm-{Guid.NewGuid():n}.volume");
        var image = new GoldenImage(path, extents, source.Bytes);
        try
        {
            image.Fill(source.Files, step, cancellationToken);
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <summary>Opens the volume as a device that counts, past the operating system's own page cache.</summary>
    public MeteredDevice OpenDevice() => new(FileBlockDevice.Open(VolumePath));

    /// <inheritdoc/>
    public void Dispose()
    {
        Fingerprint.Dispose();
        File.Delete(VolumePath);
    }

    private void Fill(IReadOnlyList<SourceFile> files, ProgressStep step, CancellationToken cancellationToken)
    {
        using SafeFileHandle volume =
            File.OpenHandle(VolumePath, FileMode.CreateNew, FileAccess.Write, preallocationSize: HeadBytes + Length);

        var buffer = new byte[CopyBytes];
        for (int file = 0; file < files.Count; file++)
        {
            using SafeFileHandle source = File.OpenHandle(files[file].Path, options: FileOptions.SequentialScan);
            Extent run = Extents.RunOf(file);
            for (long done = 0; done < run.Length;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Span<byte> bytes = buffer.AsSpan(0, (int)Math.Min(buffer.Length, run.Length - done));
                ReadPadded(source, files[file], done, bytes);
                Fingerprint.Append(bytes);
                RandomAccess.Write(volume, bytes, run.PhysicalOffset + done);
                done += bytes.Length;
                step.Advance(bytes.Length);
            }
        }

        Fingerprint.Complete();
        RandomAccess.FlushToDisk(volume);
    }

    /// <summary>Reads a part of a source file; what lies behind its end is zero.</summary>
    private static void ReadPadded(SafeFileHandle source, SourceFile file, long offset, Span<byte> bytes)
    {
        int wanted = (int)Math.Clamp(file.Length - offset, 0, bytes.Length);
        for (int done = 0; done < wanted;)
        {
            int read = RandomAccess.Read(source, bytes[done..wanted], offset + done);
            if (read == 0)
                throw new IOException($"{file.Path} had {file.Length} bytes and ends now at {offset + done}");
            done += read;
        }

        bytes[wanted..].Clear();
    }
}
