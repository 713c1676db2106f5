using System.Runtime.InteropServices;
using SharedPageCache.Reflink;
using Spectre.Console;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>The whole run, from the command line to the exit code.</summary>
internal static class Experiment
{
    private const int Success = 0;
    private const int Failure = 1;
    private const int BadUsage = 2;
    private const int Interrupted = 130;

    /// <summary>Runs the sample.</summary>
    /// <param name="args">The command line.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args)
    {
        // A signal ends the work, not the process: what was made and mounted is taken away first.
        using var interruption = new CancellationTokenSource();
        void Interrupt(PosixSignalContext signal)
        {
            signal.Cancel = true;
            interruption.Cancel();
        }

        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        using var onHangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Interrupt);
        try
        {
            ExperimentOptions options = ExperimentOptions.Parse(args);
            if (options.Help)
            {
                Console.Out.WriteLine(ExperimentOptions.Usage);
                return Success;
            }

            return OperatingSystem.IsLinux()
                ? Run(options, interruption.Token)
                : throw new UsageException("reflinks are read on Linux only");
        }
        catch (UsageException wrong)
        {
            Console.Error.WriteLine($"ReflinkImages: {wrong.Message} (--help lists the options)");
            return BadUsage;
        }
        catch (Exception failure) when (interruption.IsCancellationRequested)
        {
            Console.Error.WriteLine(
                failure is OperationCanceledException ? "ReflinkImages: interrupted" : $"ReflinkImages: interrupted ({failure.Message})");
            return Interrupted;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException or AggregateException)
        {
            Console.Error.WriteLine($"ReflinkImages: {failure.GetBaseException().Message}");
            return Failure;
        }
    }

    private static int Run(ExperimentOptions options, CancellationToken cancellationToken)
    {
        SourceFiles source = options.Source is null ? SourceFiles.OfThisRuntime() : SourceFiles.At(options.Source);
        IAnsiConsole console =
            options.Json ? ExperimentProgress.ConsoleForProgressOnly() : ExperimentProgress.ConsoleForPeople();
        console.WriteLine($"ReflinkImages: {options.Files:n0} reflinks of one image made of {source.Root}");

        using XfsImage? disk = options.MakeXfs ? XfsImage.Make(source.Bytes, cancellationToken) : null;
        string folder = disk?.Root ?? FolderOf(options);
        ExperimentFigures figures = ExperimentProgress.Show(console, progress =>
        {
            using var set = ReflinkSet.Make(folder, source, options.Files, progress, cancellationToken);
            KernelLeg kernel = KernelLeg.Run(set, progress, cancellationToken);
            SharedLeg shared = SharedLeg.Run(set, disk?.File, progress, cancellationToken);
            WriteLeg? write = options.Write ? WriteLeg.RunAsync(set, progress, cancellationToken).GetAwaiter().GetResult() : null;
            return new ExperimentFigures(options.Files, set.ImageBytes, kernel, shared, write);
        });

        if (options.Json)
            Console.Out.WriteLine(figures.ToJson());
        else
            figures.Write(console);
        return figures.Verified ? Success : Failure;
    }

    /// <summary>The directory that was given, if files in it can be opened by their blocks.</summary>
    private static string FolderOf(ExperimentOptions options)
    {
        string folder = Path.GetFullPath(options.Folder!);
        if (!Directory.Exists(folder))
            throw new UsageException($"--dir: there is no directory at {folder}");

        string probe = Path.Combine(folder, $"reflinkimages-{Guid.NewGuid():n}");
        File.WriteAllText(probe, "x");
        try
        {
            return ReflinkStore.CanOpen(probe, out string? reason) ? folder : throw new UsageException($"--dir: {reason}");
        }
        finally
        {
            File.Delete(probe);
        }
    }
}
