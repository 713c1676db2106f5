using Microsoft.Win32.SafeHandles;
using SharedPageCache.Cow;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// One image on a copy-on-write volume in a temporary file: real files, each starting on a page of its own. Disposing
/// deletes the volume.
/// </summary>
internal sealed class GoldenImage : IDisposable
{
    /// <summary>The image's name on the volume.</summary>
    public const string Name = "golden";

    private const int CopyBytes = 1 << 20;

    /// <summary>
    /// What is written before it is flushed: below what makes the cache write by itself, so that the same files always
    /// get the same places.
    /// </summary>
    private const int FlushBytes = 4 << 20;

    private const long PackingMemory = 64L << 20;

    private readonly int _pageSize;
    private readonly long[] _offsets; // of each source file in the image

    private GoldenImage(string volumePath, SourceTree source, int pageSize)
    {
        VolumePath = volumePath;
        SourceBytes = source.Bytes;
        _pageSize = pageSize;
        _offsets = new long[source.Files.Count];
        for (int file = 0; file < _offsets.Length; file++)
        {
            _offsets[file] = Length;
            Length += RoundUp(source.Files[file].Length);
        }

        Fingerprint = new ImageFingerprint(Length);
    }

    /// <summary>The file that plays the disk.</summary>
    public string VolumePath { get; }

    /// <summary>The length of the image in bytes: the source files and what rounds each up to whole pages.</summary>
    public long Length { get; }

    /// <summary>The sum of the lengths of the source files in bytes.</summary>
    public long SourceBytes { get; }

    /// <summary>Where on the volume each part of the image lies.</summary>
    public ImageExtents Extents { get; private set; } = null!;

    /// <summary>What every clone must read as.</summary>
    public ImageFingerprint Fingerprint { get; }

    /// <summary>What there is to say of the image when it is gone.</summary>
    public ImageFigures Figures => new(SourceBytes, Length, Extents.Count, Fingerprint.Sha256);

    /// <summary>Packs files into a new volume.</summary>
    /// <param name="source">The files.</param>
    /// <param name="options">The page size, and how many clones there will be.</param>
    /// <param name="step">Is told of each byte packed.</param>
    /// <param name="cancellationToken">Ends the work early; nothing is left behind.</param>
    /// <exception cref="IOException">A source cannot be read, or has become shorter meanwhile.</exception>
    public static GoldenImage Pack(
        SourceTree source, StormOptions options, ProgressStep step, CancellationToken cancellationToken)
    {
        string path = Path.Combine(Path.GetTempPath(), $"clonestorm-{Guid.NewGuid():n}.volume");
        var image = new GoldenImage(path, source, options.PageSize);
        try
        {
            image.TakeFingerprint(source.Files, cancellationToken);
            image.Fill(source.Files, image.DiskBytes(options), step, cancellationToken);
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <summary>Opens the volume past the operating system's own page cache, with an empty cache of ours.</summary>
    /// <param name="capacityBytes">The memory of the cache.</param>
    public StormVolume OpenVolume(long capacityBytes) => StormVolume.Open(VolumePath, _pageSize, capacityBytes);

    /// <summary>Opens the disk alone, past the operating system's own page cache.</summary>
    public MeteredDevice OpenDevice() =>
        new(FileBlockDevice.Open(VolumePath, new FileBlockDeviceOptions { BlockSize = _pageSize }));

    /// <summary>The bytes of the image, straight from the volume and checked against the source files.</summary>
    /// <param name="golden">The image, opened.</param>
    /// <param name="chunk">Which chunk of <see cref="ChunkHash.ChunkBytes"/>.</param>
    /// <param name="buffer">Room for a chunk.</param>
    /// <returns>The chunk; the last one of an image may be shorter.</returns>
    /// <exception cref="IOException">The image is not what was packed.</exception>
    public Span<byte> ReadChunk(MappedFile golden, int chunk, byte[] buffer)
    {
        long offset = (long)chunk * ChunkHash.ChunkBytes;
        Span<byte> bytes = buffer.AsSpan(0, (int)Math.Min(ChunkHash.ChunkBytes, Length - offset));
        if (golden.Read(offset, bytes) != bytes.Length || !Fingerprint.Matches(offset, bytes))
            throw new IOException($"the image is not what was packed, in the {bytes.Length} bytes at {offset}");
        return bytes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Fingerprint.Dispose();
        File.Delete(VolumePath);
    }

    /// <summary>The image, what all clones write, and the metadata of both, with room to spare.</summary>
    private long DiskBytes(StormOptions options) =>
        RoundUp((2 * Length) + (options.Clones * (long)CloneWrites.MostBlocks * _pageSize) + (64L << 20));

    /// <summary>Before anything gets to the volume: the fingerprint knows nothing of what may happen to it there.</summary>
    private void TakeFingerprint(IReadOnlyList<SourceFile> files, CancellationToken cancellationToken)
    {
        var buffer = new byte[CopyBytes];
        foreach (SourceFile file in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReadPadded(file, buffer, (_, bytes) => Fingerprint.Append(bytes));
        }

        Fingerprint.Complete();
    }

    /// <summary>
    /// Writes the files through a cache, in shuffled order: neighbours in the image are strangers on the device, as they
    /// are on any disk that has been in use for a while.
    /// </summary>
    private void Fill(
        IReadOnlyList<SourceFile> files, long diskBytes, ProgressStep step, CancellationToken cancellationToken)
    {
        using StormVolume volume = StormVolume.Create(VolumePath, diskBytes, _pageSize, PackingMemory);
        volume.Cow.CreateFile(Name).SetLength(Length);
        using MappedFile golden = volume.OpenFile(Name);

        int[] order = [.. Enumerable.Range(0, files.Count)];
        new Random(Seed: 200).Shuffle(order);
        var buffer = new byte[CopyBytes];
        int unflushed = 0;
        foreach (int file in order)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReadPadded(files[file], buffer, (offset, bytes) =>
            {
                golden.Write(_offsets[file] + offset, bytes);
                step.Advance(bytes.Length);
                unflushed += bytes.Length;
                if (unflushed >= FlushBytes)
                    Flush();
            });
        }

        Flush();
        Extents = ImageExtents.Of((CowFile)golden.Extents);

        void Flush()
        {
            volume.Files.FlushAsync(cancellationToken).AsTask().GetAwaiter().GetResult();
            unflushed = 0;
        }
    }

    private long RoundUp(long length) => (length + _pageSize - 1) & ~(_pageSize - 1L);

    /// <summary>Reads a source file to the end of its last page; what lies behind its end is zero.</summary>
    private void ReadPadded(SourceFile file, byte[] buffer, ChunkTaker take)
    {
        using SafeFileHandle source = File.OpenHandle(file.Path, options: FileOptions.SequentialScan);
        long end = RoundUp(file.Length);
        for (long offset = 0; offset < end; offset += buffer.Length)
        {
            Span<byte> bytes = buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - offset));
            int wanted = (int)Math.Clamp(file.Length - offset, 0, bytes.Length);
            for (int done = 0; done < wanted;)
            {
                int read = RandomAccess.Read(source, bytes[done..wanted], offset + done);
                if (read == 0)
                    throw new IOException($"{file.Path} had {file.Length} bytes and ends now at {offset + done}");
                done += read;
            }

            bytes[wanted..].Clear();
            take(offset, bytes);
        }
    }

    private delegate void ChunkTaker(long offset, ReadOnlySpan<byte> bytes);
}
