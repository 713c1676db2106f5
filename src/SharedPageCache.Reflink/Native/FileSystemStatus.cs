using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Reflink.Native;

/// <summary>What file system an open file lies on, and what makes it that one and no other.</summary>
/// <param name="Identity">The same for all files of one file system, different for any other that is mounted.</param>
/// <param name="Name">A name for people: "xfs 8d8a...".</param>
/// <param name="BlockSize">The unit in which the file system places bytes.</param>
internal readonly unsafe record struct FileSystemStatus(VolumeId Identity, string Name, int BlockSize)
{
    private const uint XfsMagic = 0x58465342;
    private const uint BtrfsMagic = 0x9123683E;

    private const uint XfsGeometryRequest = 0x80705864;     // XFS_IOC_FSGEOMETRY_V1: every kernel, no privilege
    private const int XfsGeometrySize = 112;
    private const int XfsGeometryUuid = 64;

    private const uint XfsAttributesRequest = 0x801C581F;   // FS_IOC_FSGETXATTR
    private const int XfsAttributesSize = 28;
    private const uint XfsRealtimeFlag = 1;

    private const uint BtrfsInfoRequest = 0x8400941F;       // BTRFS_IOC_FS_INFO: no privilege
    private const int BtrfsInfoSize = 1024;
    private const int BtrfsInfoUuid = 16;
    private const int BtrfsInfoSectorSize = 36;

    /// <summary>Looks at the file system of an open file.</summary>
    /// <exception cref="NotSupportedException">It is neither XFS nor btrfs.</exception>
    /// <exception cref="IOException">The file system does not answer.</exception>
    public static FileSystemStatus Of(SafeFileHandle file, string path, uint device)
    {
        // struct statfs of 64-bit Linux: the type and the block size are its first two words.
        var buffer = stackalloc long[32];
        if (LibC.fstatfs(file, buffer) != 0)
        {
            throw LibC.LastError("fstatfs", path);
        }

        return (uint)buffer[0] switch
        {
            XfsMagic => OfXfs(file, path, device, checked((int)buffer[1])),
            BtrfsMagic => OfBtrfs(file, path),
            var other => throw new NotSupportedException(
                $"'{path}' lies on {NameOf(other)}, which is not supported: reflinked files are opened on XFS and btrfs."),
        };
    }

    /// <summary>
    /// Whether the blocks of a file lie on the realtime device of an XFS. FIEMAP reports addresses of two devices with one
    /// set of numbers and does not say which, so such addresses identify nothing.
    /// </summary>
    public static bool IsOnRealtimeDevice(SafeFileHandle file)
    {
        var attributes = stackalloc uint[XfsAttributesSize / 4];
        return LibC.ioctl(file, XfsAttributesRequest, attributes) == 0 && (attributes[0] & XfsRealtimeFlag) != 0;
    }

    /// <summary>
    /// A copied image has the UUID of its original, and XFS mounts both if asked to. The number of the device that is
    /// mounted tells them apart; two file systems never have it in common while both are mounted.
    /// </summary>
    private static FileSystemStatus OfXfs(SafeFileHandle file, string path, uint device, int blockSize)
    {
        var geometry = stackalloc byte[XfsGeometrySize];
        if (LibC.ioctl(file, XfsGeometryRequest, geometry) != 0)
        {
            throw LibC.LastError("XFS_IOC_FSGEOMETRY", path);
        }

        var uuid = new ReadOnlySpan<byte>(geometry + XfsGeometryUuid, 16);
        return Make("xfs", uuid, salt: device, blockSize);
    }

    /// <summary>
    /// Each subvolume of a btrfs has a device number of its own over one common space of addresses, so the number says
    /// nothing here. The kernel itself keeps the UUIDs of mounted btrfs apart (a second copy is refused or gets another).
    /// </summary>
    private static FileSystemStatus OfBtrfs(SafeFileHandle file, string path)
    {
        var info = stackalloc byte[BtrfsInfoSize];
        if (LibC.ioctl(file, BtrfsInfoRequest, info) != 0)
        {
            throw LibC.LastError("BTRFS_IOC_FS_INFO", path);
        }

        var sectorSize = *(uint*)(info + BtrfsInfoSectorSize);
        return Make("btrfs", new ReadOnlySpan<byte>(info + BtrfsInfoUuid, 16), salt: 0, (int)sectorSize);
    }

    private static FileSystemStatus Make(string type, ReadOnlySpan<byte> uuid, uint salt, int blockSize)
    {
        var high = BinaryPrimitives.ReadUInt64LittleEndian(uuid);
        var low = BinaryPrimitives.ReadUInt64LittleEndian(uuid[8..]) ^ salt * 0x9E3779B97F4A7C15;
        return new FileSystemStatus(new VolumeId(high, low), $"{type} {new Guid(uuid, bigEndian: true)}", blockSize);
    }

    private static string NameOf(uint magic) => magic switch
    {
        0x01021994 => "tmpfs",
        0x0000EF53 => "ext2, ext3 or ext4",
        0x794C7630 => "overlayfs (open the file under its path in the layer that holds it)",
        0x00006969 => "NFS",
        0x2FC12FC1 => "ZFS",
        0x9FA0 => "procfs",
        0x62656572 => "sysfs",
        0x65735546 => "FUSE",
        0xFF534D42 => "SMB",
        _ => $"a file system of type 0x{magic:x}",
    };
}
