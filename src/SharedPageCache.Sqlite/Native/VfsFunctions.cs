using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Unicode;
using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Native;

/// <summary>
/// What SQLite calls to open, delete and look for files. Temporary files, time, random numbers and libraries are the
/// business of SQLite's own VFS. No exception leaves a function: it becomes a result code, and the store remembers it.
/// </summary>
internal static unsafe class VfsFunctions
{
    private const int MostNameChars = 512;

    /// <summary>SQLite's own VFS. Set once, before the first table is filled in.</summary>
    public static VfsLayout* Default { get; set; }

    public static void FillIn(VfsLayout* vfs)
    {
        vfs->Open = &Open;
        vfs->Delete = &Delete;
        vfs->Access = &Access;
        vfs->FullName = &FullName;
        vfs->OpenLibrary = &OpenLibrary;
        vfs->LibraryError = &LibraryError;
        vfs->LibrarySymbol = &LibrarySymbol;
        vfs->CloseLibrary = &CloseLibrary;
        vfs->Randomness = &Randomness;
        vfs->Sleep = &Sleep;
        vfs->CurrentTime = &CurrentTime;
        vfs->LastError = &LastError;
        vfs->CurrentTimeMilliseconds = Default->Version >= 2 ? &CurrentTimeMilliseconds : null;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Open(VfsLayout* vfs, byte* name, FileLayout* file, int flags, int* flagsOut)
    {
        file->Methods = null;
        try
        {
            if (name is null)
            {
                // A temporary file: SQLite's own VFS makes it, and it never comes back here.
                return Default->Open(Default, name, file, flags, flagsOut);
            }

            if (VfsRegistration.FilesOf(vfs) is not { } files
                || files.TryOpen(Text(name), (OpenFlags)flags, out var granted) is not { } opened)
            {
                return ResultCode.CannotOpen;
            }

            file->Handle = GCHandle.ToIntPtr(GCHandle.Alloc(opened));
            file->Methods = FileFunctions.TableOf(opened);
            if (flagsOut is not null)
            {
                *flagsOut = (int)granted;
            }

            return ResultCode.Ok;
        }
        catch (Exception error)
        {
            return Told(vfs, error, ResultCode.CannotOpen);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Delete(VfsLayout* vfs, byte* name, int durable)
    {
        try
        {
            return VfsRegistration.FilesOf(vfs) is not { } files ? ResultCode.IoDelete
                : files.Delete(Text(name), durable != 0) ? ResultCode.Ok
                : ResultCode.IoDeleteMissing;
        }
        catch (Exception error)
        {
            return Told(vfs, error, ResultCode.IoDelete);
        }
    }

    /// <summary>Called twice for each transaction in rollback mode, so it allocates nothing. Nothing in it throws.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Access(VfsLayout* vfs, byte* name, int what, int* answer)
    {
        *answer = 0;
        if (VfsRegistration.FilesOf(vfs) is not { } files)
        {
            return ResultCode.IoAccess;
        }

        Span<char> chars = stackalloc char[MostNameChars];
        var bytes = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
        if (bytes.Length <= MostNameChars)
        {
            Utf8.ToUtf16(bytes, chars, out _, out var count);
            *answer = files.Exists(chars[..count]) ? 1 : 0;
        }

        return ResultCode.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int FullName(VfsLayout* vfs, byte* name, int room, byte* full)
    {
        var bytes = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
        if (bytes.Length >= room)
        {
            return ResultCode.CannotOpen;
        }

        bytes.CopyTo(new Span<byte>(full, room));
        full[bytes.Length] = 0;
        return ResultCode.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void* OpenLibrary(VfsLayout* vfs, byte* name) => Default->OpenLibrary(Default, name);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void LibraryError(VfsLayout* vfs, int room, byte* message) => Default->LibraryError(Default, room, message);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void* LibrarySymbol(VfsLayout* vfs, void* library, byte* name) => Default->LibrarySymbol(Default, library, name);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void CloseLibrary(VfsLayout* vfs, void* library) => Default->CloseLibrary(Default, library);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Randomness(VfsLayout* vfs, int count, byte* bytes) => Default->Randomness(Default, count, bytes);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Sleep(VfsLayout* vfs, int microseconds) => Default->Sleep(Default, microseconds);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int CurrentTime(VfsLayout* vfs, double* days) => Default->CurrentTime(Default, days);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int CurrentTimeMilliseconds(VfsLayout* vfs, long* time) => Default->CurrentTimeMilliseconds(Default, time);

    /// <summary>There is no errno: <see cref="SqliteBranchStore.LastFailure"/> says what went wrong.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int LastError(VfsLayout* vfs, int room, byte* message) => 0;

    private static string Text(byte* name) => Marshal.PtrToStringUTF8((nint)name) ?? "";

    private static int Told(VfsLayout* vfs, Exception error, int otherwise)
    {
        VfsRegistration.FilesOf(vfs)?.NoteFailure(error);
        return ResultCode.Of(error, otherwise);
    }
}
