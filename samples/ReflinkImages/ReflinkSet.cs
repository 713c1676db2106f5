using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using SharedPageCache.Reflink;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>An image and its reflinks in a directory of their own. Disposing deletes them.</summary>
internal sealed class ReflinkSet : IDisposable
{
    private const int CopyBytes = 1 << 20;

    private readonly string _folder;

    private ReflinkSet(string folder)
    {
        _folder = folder;
        Image = Path.Combine(folder, "image");
    }

    /// <summary>The image itself.</summary>
    public string Image { get; }

    /// <summary>The length of the image in bytes.</summary>
    public long ImageBytes { get; private set; }

    /// <summary>The SHA-256 that each reflink must have.</summary>
    public byte[] Sha256 { get; private set; } = [];

    /// <summary>The paths of the reflinks.</summary>
    public IReadOnlyList<string> Reflinks { get; private set; } = [];

    /// <summary>Packs files into an image and makes reflinks of it.</summary>
    /// <param name="folder">A directory on XFS or btrfs.</param>
    /// <param name="source">The files to pack.</param>
    /// <param name="count">The number of reflinks.</param>
    /// <param name="progress">Where to show progress.</param>
    /// <param name="cancellationToken">Ends the work early; nothing is left behind.</param>
    /// <exception cref="IOException">A source cannot be read, or the file system made no reflinks.</exception>
    public static ReflinkSet Make(
        string folder, SourceFiles source, int count, ExperimentProgress progress, CancellationToken cancellationToken)
    {
        string own = Path.Combine(folder, $"reflinkimages-{Guid.NewGuid():n}");
        Directory.CreateDirectory(own);
        var set = new ReflinkSet(own);
        try
        {
            set.Pack(source, progress.BeginBytes($"Packing {source.Paths.Count:n0} files", source.Bytes), cancellationToken);
            set.Clone(count, progress.Begin($"Making {count:n0} reflinks", count), cancellationToken);
            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Pack(SourceFiles source, Action<long> advance, CancellationToken cancellationToken)
    {
        using SafeFileHandle image = File.OpenHandle(Image, FileMode.CreateNew, FileAccess.Write);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[CopyBytes];
        foreach (string path in source.Paths)
        {
            using SafeFileHandle file = File.OpenHandle(path, options: FileOptions.SequentialScan);
            for (long offset = 0; ;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int read = RandomAccess.Read(file, buffer, offset);
                if (read == 0)
                    break;
                RandomAccess.Write(image, buffer.AsSpan(0, read), ImageBytes);
                hash.AppendData(buffer, 0, read);
                ImageBytes += read;
                offset += read;
                advance(read);
            }
        }

        RandomAccess.FlushToDisk(image);
        Sha256 = hash.GetHashAndReset();
    }

    /// <summary>On Linux File.Copy clones where the file system can (FICLONE). That it did is looked at later.</summary>
    private void Clone(int count, Action<long> advance, CancellationToken cancellationToken)
    {
        var reflinks = new List<string>(count);
        for (int i = 0; i < count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string path = Path.Combine(_folder, $"reflink-{i:d5}");
            File.Copy(Image, path);
            reflinks.Add(path);
            if (i == 0)
                CheckShared(path);
            advance(1);
        }

        Reflinks = reflinks;
    }

    /// <summary>Refuses at once where File.Copy copies, before the disk is full of copies.</summary>
    private void CheckShared(string path)
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 8 << 20 });
        using var store = new ReflinkStore(cache);
        using ReflinkedFile image = store.Open(Image);
        using ReflinkedFile copy = store.Open(path);
        PhysicalBytes.ThrowIfNotShared(image, copy);
    }
}
