using SharedPageCache.Sqlite.Files;

namespace SharedPageCache.Sqlite.Native;

/// <summary>The file controls that mean something here. https://sqlite.org/c3ref/c_fcntl_begin_atomic_write.html</summary>
internal static unsafe class FileControls
{
    private const int LockState = 1;
    private const int LastError = 4;
    private const int SizeHint = 5;
    private const int PersistWal = 10;
    private const int PowersafeOverwrite = 13;
    private const int MapSize = 18;
    private const int HasMoved = 20;

    public static int Answer(VfsFile file, int operation, void* argument)
    {
        switch (operation)
        {
            case LockState:
                *(int*)argument = (int)file.Level;
                return ResultCode.Ok;
            case LastError or HasMoved:
                *(int*)argument = 0;
                return ResultCode.Ok;
            case SizeHint:
                file.ExpectLength(*(long*)argument);
                return ResultCode.Ok;
            case PersistWal:
                var asked = *(int*)argument;
                file.PersistsWal = asked < 0 ? file.PersistsWal : asked > 0;
                *(int*)argument = file.PersistsWal ? 1 : 0;
                return ResultCode.Ok;
            case PowersafeOverwrite:
                *(int*)argument = 1;
                return ResultCode.Ok;
            case MapSize:
                var limit = *(long*)argument;
                *(long*)argument = file.MapLimit;
                file.MapLimit = limit < 0 ? file.MapLimit : limit;
                return ResultCode.Ok;
            default:
                return ResultCode.NotFound;
        }
    }
}
