using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Locking;

namespace SharedPageCache.Sqlite.Native;

/// <summary>
/// What SQLite calls on an open file. No exception leaves a function: it becomes a result code, and the store remembers
/// it. SQLite uses an open file from one thread at a time.
/// </summary>
internal static unsafe class FileFunctions
{
    private static readonly FileMethods* s_main = NewTable(version: 3);
    private static readonly FileMethods* s_beside = NewTable(version: 1);

    /// <summary>Databases have all functions; the files beside them are only read and written.</summary>
    public static FileMethods* TableOf(VfsFile file) => file is MainFile ? s_main : s_beside;

    private static FileMethods* NewTable(int version)
    {
        var table = (FileMethods*)NativeMemory.AllocZeroed((nuint)sizeof(FileMethods));
        table->Version = version;
        table->Close = &Close;
        table->Read = &Read;
        table->Write = &Write;
        table->Truncate = &Truncate;
        table->Sync = &Sync;
        table->Size = &Size;
        table->Lock = &Lock;
        table->Unlock = &Unlock;
        table->CheckReserved = &CheckReserved;
        table->Control = &Control;
        table->SectorSize = &SectorSize;
        table->Characteristics = &Characteristics;
        if (version > 1)
        {
            table->MapShared = &MapShared;
            table->LockShared = &LockShared;
            table->BarrierShared = &BarrierShared;
            table->UnmapShared = &UnmapShared;
            table->Fetch = &Fetch;
            table->Unfetch = &Unfetch;
        }

        return table;
    }

    private static VfsFile FileOf(FileLayout* file) => Unsafe.As<VfsFile>(GCHandle.FromIntPtr(file->Handle).Target!);

    /// <summary>Of functions that are in the table of databases only.</summary>
    private static MainFile MainOf(FileLayout* file) => Unsafe.As<MainFile>(GCHandle.FromIntPtr(file->Handle).Target!);

    private static int Told(FileLayout* file, Exception error, int otherwise)
    {
        FileOf(file).NoteFailure(error);
        return ResultCode.Of(error, otherwise);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Close(FileLayout* file)
    {
        try
        {
            FileOf(file).Close();
            return ResultCode.Ok;
        }
        catch (Exception error)
        {
            return Told(file, error, ResultCode.IoClose);
        }
        finally
        {
            GCHandle.FromIntPtr(file->Handle).Free();
            file->Methods = null;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Read(FileLayout* file, byte* buffer, int count, long offset)
    {
        try
        {
            return FileOf(file).File.Read(new Span<byte>(buffer, count), offset) ? ResultCode.Ok : ResultCode.IoShortRead;
        }
        catch (Exception error)
        {
            return Told(file, error, ResultCode.IoRead);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(FileLayout* file, byte* buffer, int count, long offset)
    {
        try
        {
            return FileOf(file).Write(new ReadOnlySpan<byte>(buffer, count), offset) ? ResultCode.Ok : ResultCode.ReadOnly;
        }
        catch (Exception error)
        {
            return Told(file, error, ResultCode.IoWrite);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Truncate(FileLayout* file, long length)
    {
        try
        {
            return FileOf(file).Truncate(length) ? ResultCode.Ok : ResultCode.ReadOnly;
        }
        catch (Exception error)
        {
            return Told(file, error, ResultCode.IoTruncate);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Sync(FileLayout* file, int flags)
    {
        try
        {
            FileOf(file).File.Sync();
            return ResultCode.Ok;
        }
        catch (Exception error)
        {
            return Told(file, error, ResultCode.IoSync);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Size(FileLayout* file, long* size)
    {
        *size = FileOf(file).File.Length;
        return ResultCode.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Lock(FileLayout* file, int level) =>
        FileOf(file).TryLock((LockLevel)level) ? ResultCode.Ok : ResultCode.Busy;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Unlock(FileLayout* file, int level)
    {
        FileOf(file).Unlock((LockLevel)level);
        return ResultCode.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int CheckReserved(FileLayout* file, int* answer)
    {
        *answer = FileOf(file).IsReserved ? 1 : 0;
        return ResultCode.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Control(FileLayout* file, int operation, void* argument)
    {
        try
        {
            return FileControls.Answer(FileOf(file), operation, argument);
        }
        catch (Exception error)
        {
            return Told(file, error, ResultCode.IoError);
        }
    }

    /// <summary>What is written at once: no home ever writes less than a page.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SectorSize(FileLayout* file) => FileOf(file).File.Pages.Volume.PageSize;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Characteristics(FileLayout* file) => FileOf(file).Characteristics;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int MapShared(FileLayout* file, int index, int size, int create, nint* address)
    {
        try
        {
            *address = 0;
            *address = MainOf(file).MapShared(index, size, create != 0);
            return ResultCode.Ok;
        }
        catch (Exception error)
        {
            // There was no memory; nothing else can be.
            return Told(file, error, ResultCode.IoNoMemory);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int LockShared(FileLayout* file, int first, int count, int flags)
    {
        const int Unlock = 1, Alone = 8;
        if (first < 0 || count < 1 || first + count > WalIndex.LockCount)
        {
            return ResultCode.IoSharedMemoryLock;
        }

        var main = MainOf(file);
        if ((flags & Unlock) != 0)
        {
            main.UnlockShared(first, count);
            return ResultCode.Ok;
        }

        return main.TryLockShared(first, count, (flags & Alone) != 0) ? ResultCode.Ok : ResultCode.Busy;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void BarrierShared(FileLayout* file) => Interlocked.MemoryBarrier();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int UnmapShared(FileLayout* file, int delete)
    {
        MainOf(file).UnmapShared();
        return ResultCode.Ok;
    }

    /// <summary>
    /// A page where it is: the cache's own memory, pinned until <see cref="Unfetch"/> and longer (<see cref="FetchedPages"/>). SQLite
    /// reads by copy what it is not given so.
    /// </summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Fetch(FileLayout* file, long offset, int count, nint* address)
    {
        try
        {
            *address = 0;
            *address = MainOf(file).Fetch(offset, count);
            return ResultCode.Ok;
        }
        catch (Exception error)
        {
            return Told(file, error, ResultCode.IoFetch);
        }
    }

    /// <summary>Gives a page back; without an address, all that is not held: the file is going to change, or has.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Unfetch(FileLayout* file, long offset, nint address)
    {
        if (address != 0)
        {
            MainOf(file).Unfetch(offset, address);
        }
        else
        {
            MainOf(file).DropFetched();
        }

        return ResultCode.Ok;
    }
}
