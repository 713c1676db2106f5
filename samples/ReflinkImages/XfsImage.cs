namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>
/// An XFS in a sparse file, mounted on a temporary directory. Disposing unmounts it and deletes both, whatever state it is
/// in.
/// </summary>
internal sealed class XfsImage : IDisposable
{
    private const int UnmountAttempts = 30;

    private readonly string _folder = Directory.CreateTempSubdirectory("reflinkimages-").FullName;
    private string? _loopDevice;
    private bool _isMounted;

    private XfsImage()
    {
        File = Path.Combine(_folder, "xfs.img");
        Root = Path.Combine(_folder, "mnt");
    }

    /// <summary>The file that plays the disk.</summary>
    public string File { get; }

    /// <summary>The root directory of the file system.</summary>
    public string Root { get; }

    /// <summary>Makes and mounts a file system.</summary>
    /// <param name="bytes">What it should hold at least.</param>
    /// <param name="cancellationToken">Ends the work early; nothing is left behind.</param>
    /// <exception cref="UsageException">Not root, or a program is missing.</exception>
    /// <exception cref="IOException">Making or mounting failed.</exception>
    public static XfsImage Make(long bytes, CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
            throw new UsageException("--make-xfs mounts a file system, which takes root; use --dir as another user");

        var image = new XfsImage();
        try
        {
            image.MakeAndMount(bytes, cancellationToken);
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isMounted)
            Unmount();
        if (_loopDevice is not null)
            SystemCommand.Run("losetup", "--detach", _loopDevice);
        Directory.Delete(_folder, recursive: true);
    }

    private void MakeAndMount(long bytes, CancellationToken cancellationToken)
    {
        const long leastBytes = 512L << 20; // mkfs.xfs refuses less than 300 MiB
        using (FileStream file = System.IO.File.Create(File))
        {
            file.SetLength(Math.Max(leastBytes, bytes * 3 / 2) + 4095 & ~4095L);
        }

        SystemCommand.Run("mkfs.xfs", "-q", "-m", "reflink=1", File);
        cancellationToken.ThrowIfCancellationRequested();

        // Direct I/O, so that the kernel does not cache the file behind the file system too.
        _loopDevice = SystemCommand.Run("losetup", "--find", "--show", File);
        try
        {
            SystemCommand.Run("losetup", "--direct-io=on", _loopDevice);
        }
        catch (IOException)
        {
            // The temporary directory cannot do it (tmpfs); the figures count what is cached then.
        }

        Directory.CreateDirectory(Root);
        SystemCommand.Run("mount", "-t", "xfs", _loopDevice, Root);
        _isMounted = true;
    }

    private void Unmount()
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                SystemCommand.Run("umount", Root);
                _isMounted = false;
                return;
            }
            catch (IOException) when (attempt < UnmountAttempts)
            {
                // Somebody is still looking at it.
                Thread.Sleep(100);
            }
        }
    }
}
