using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Clones of files whose engine clones by a call that is not in memory: what is dirty is flushed first, and nothing is placed meanwhile.</summary>
internal static class CloneByCallScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("clone by a call x write", () =>
        {
            var (universe, file) = Open();
            return universe.Run(() => RequireOneMoment(file), () => file.Write(0));
        }, Bounded: true),
        new("clone by a call x writes one after the other x background write-back", () =>
        {
            var (universe, file) = Open();
            return universe.Run(
                () => RequireOneMoment(file),
                () =>
                {
                    file.Write(0);
                    file.Write(1);
                },
                universe.WriteInBackground);
        }),
        new("clone by a call x flush x write in place", () =>
        {
            var (universe, file) = Open();
            return universe.Run(
                () => RequireOneMoment(file),
                file.Flush,
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.WriteHalf(0, 1);
                });
        }),
        new("clone by a call x punch", () =>
        {
            var (universe, file) = Open();
            return universe.Run(() => file.CloneByCall().ReadAll(), () => file.Punch(0), () => file.Read(0));
        }),
        new("clone by a call x truncate and grow", () =>
        {
            var (universe, file) = Open();
            return universe.Run(
                () =>
                {
                    var clone = file.CloneByCall();
                    clone.Grow(3);
                    clone.ReadAll();
                },
                () =>
                {
                    file.Truncate(1);
                    file.Grow(2);
                    file.Read(1);
                });
        }),
        new("clone by a call x fault x evict", () =>
        {
            var (universe, file) = Open();
            return universe.Run(
                () =>
                {
                    var clone = file.CloneByCall();
                    clone.Read(1);
                    clone.Read(0);
                },
                () =>
                {
                    file.Read(1);
                    file.Read(0);
                },
                universe.Evict);
        }),
        new("clone by a call x clone by a call x writes by both clones", () =>
        {
            var (universe, file) = Open();
            return universe.Run(
                () =>
                {
                    var clone = file.CloneByCall();
                    clone.WriteHalf(0, 0);
                    clone.Flush();
                    clone.Read(0);
                },
                () =>
                {
                    var clone = file.CloneByCall();
                    clone.WriteHalf(0, 1);
                    clone.Read(0);
                    file.Read(0);
                });
        }),
        new("clone by a call x range clone into the file", () =>
        {
            var (universe, file) = Open();
            var source = universe.Open(20, 21);
            source.Write(1);
            return universe.Run(() => file.CloneByCall().ReadAll(), () => file.CloneRange(source, 0, 0, 2), source.Flush);
        }),
        new("clone by a call over a failing device x write", () =>
        {
            var (universe, file) = Open();
            universe.Device.FailingWrites = 1;
            return universe.Run(
                () => CloneIfSound(file),
                () => file.WriteHalf(0, 0),
                () => file.FlushIfSound());
        }),
        new("prompt clone x write", () =>
        {
            var (universe, file) = OpenClean();
            return universe.Run(() => RequireOneMoment(file), () => file.Write(0));
        }, Bounded: true),
        new("prompt clone x writes one after the other x background write-back", () =>
        {
            var (universe, file) = OpenClean();
            return universe.Run(
                () => RequireOneMoment(file),
                () =>
                {
                    file.Write(0);
                    file.Write(1);
                },
                universe.WriteInBackground);
        }),
        new("prompt clone x write x flush x truncate and grow", () =>
        {
            var (universe, file) = OpenClean();
            return universe.Run(
                () =>
                {
                    var clone = file.CloneByCall();
                    clone.WriteHalf(0, 1);
                    clone.ReadAll();
                },
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.Flush();
                },
                () =>
                {
                    file.Truncate(1);
                    file.Grow(2);
                });
        }),
        new("prompt clone x take-over x evict", () =>
        {
            var (universe, file) = OpenClean();
            file.ReadAll();
            return universe.Run(
                () =>
                {
                    var clone = file.CloneByCall();
                    clone.Read(0);
                    clone.WriteHalf(0, 1);
                    clone.Read(0);
                },
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.Read(0);
                },
                universe.Evict);
        }),
        new("clone by a call x volume detached", () =>
        {
            var (universe, file) = Open();
            return universe.RunToTheEnd(
                () => file.IfOpen(() => CloneIfSound(file)), universe.Volume.Dispose, () => file.IfOpen(() => file.Write(0)));
        }),
    ];

    private static (WriteUniverse Universe, WrittenFile File) Open()
    {
        var universe = new WriteUniverse();
        var file = universe.OpenClonedByCall(10, 11);
        file.Write(0);
        return (universe, file);
    }

    private static (WriteUniverse Universe, WrittenFile File) OpenClean()
    {
        var universe = new WriteUniverse();
        return (universe, universe.OpenClonedPromptly(10, 11));
    }

    private static void CloneIfSound(WrittenFile file)
    {
        try
        {
            RequireOneMoment(file);
        }
        catch (CacheWritebackException failure)
        {
            Scheduler.Note(failure.Message);
        }
    }

    /// <summary>Of two pages that are written one after the other, the clone never shows the second write without the first.</summary>
    private static void RequireOneMoment(WrittenFile file)
    {
        var before = file.Stored is FileClonedPromptly ? WriteDevice.Original(10) : new Sector(1, 1);
        var clone = file.CloneByCall();
        var (first, second) = (clone.Read(0), clone.Read(1));
        WriteUniverse.Require(
            second[0] == WriteDevice.Original(11) || first[0] != before, $"a clone shows {second[0]} in page 1, and before that in page 0 {first[0]} (C5)");
    }
}
