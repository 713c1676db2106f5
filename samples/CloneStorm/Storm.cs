using Spectre.Console;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>The whole run, from the command line to the exit code.</summary>
internal static class Storm
{
    private const int Success = 0;
    private const int Failure = 1;
    private const int BadUsage = 2;
    private const int Interrupted = 130;

    /// <summary>The least image in bytes that the figures mean something for.</summary>
    private const long LeastImageBytes = 1 << 20;

    /// <summary>Runs the sample.</summary>
    /// <param name="args">The command line.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args)
    {
        using var interruption = new CancellationTokenSource();
        Console.CancelKeyPress += (_, pressed) =>
        {
            pressed.Cancel = true; // let the volume file be deleted first
            interruption.Cancel();
        };

        try
        {
            StormOptions options = StormOptions.Parse(args);
            if (options.Help)
            {
                Console.Out.WriteLine(StormOptions.Usage);
                return Success;
            }

            return Run(options, interruption.Token);
        }
        catch (UsageException wrong)
        {
            Console.Error.WriteLine($"CloneStorm: {wrong.Message} (--help lists the options)");
            return BadUsage;
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (AggregateException several) when (IsExpected(several.InnerException))
        {
            Console.Error.WriteLine($"CloneStorm: {several.InnerException!.Message}");
            return Failure;
        }
        catch (Exception failure) when (IsExpected(failure))
        {
            Console.Error.WriteLine($"CloneStorm: {failure.Message}");
            return Failure;
        }
    }

    private static bool IsExpected(Exception? failure) =>
        failure is IOException or UnauthorizedAccessException or CacheCapacityException;

    private static int Run(StormOptions options, CancellationToken cancellationToken)
    {
        SourceTree source = SourceFor(options);
        IAnsiConsole console = options.Json ? StormConsole.ForProgressOnly() : StormConsole.ForPeople();
        var report = new StormReport(console);
        report.Open(source, options);

        StormFigures figures = StormProgress.Show(console, progress =>
        {
            ProgressStep packing = progress.BeginBytes($"Packing {source.Files.Count:n0} files", source.Bytes);
            using GoldenImage image = GoldenImage.Pack(source, options, packing, cancellationToken);
            long capacity = options.CapacityBytes ?? CloneLeg.RoomFor(image, options.Clones);
            (CloneFigures full, WriteFigures written) =
                ReadAndWrite(image, capacity, options, progress, cancellationToken);
            ReopenFigures reopened = ReopenLeg.Run(image, written.Files, capacity, progress, cancellationToken);
            HalfFigures half = HalfCapacityLeg.Run(image, options, progress, cancellationToken);
            return new StormFigures(image.Figures, full, written, reopened, half);
        });

        if (options.Json)
            Console.Out.WriteLine(StormJson.Of(options, figures).ToString());
        else
            report.Close(options, figures);
        return figures.Verified ? Success : Failure;
    }

    private static (CloneFigures Full, WriteFigures Written) ReadAndWrite(
        GoldenImage image,
        long capacity,
        StormOptions options,
        StormProgress progress,
        CancellationToken cancellationToken)
    {
        using StormVolume volume = image.OpenVolume(capacity);
        ProgressStep opening = progress.Begin($"Opening {options.Clones} clones", options.Clones);
        using ImageClones clones = ImageClones.Open(volume, options.Clones, opening);
        CloneFigures full = CloneLeg.Run(volume, clones, image, progress, cancellationToken);
        return (full, WriteLeg.Run(volume, clones, image, progress, cancellationToken));
    }

    private static SourceTree SourceFor(StormOptions options)
    {
        SourceTree source;
        try
        {
            source = options.Source is null ? SourceTree.OfThisRuntime() : SourceTree.At(options.Source);
        }
        catch (FileNotFoundException missing)
        {
            throw new UsageException($"--source: {missing.Message}");
        }

        if (source.Bytes < LeastImageBytes)
        {
            throw new UsageException(
                $"--source: {source.Root} holds {ByteSize.Text(source.Bytes)}; an image takes at least "
                + $"{ByteSize.Text(LeastImageBytes)} of readable files");
        }

        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long wanted = options.CapacityBytes ?? source.Bytes;
        if (wanted > memory / 4 * 3)
        {
            throw new UsageException(
                $"a cache of {ByteSize.Text(wanted)} is more than three quarters of this machine's memory "
                + $"({ByteSize.Text(memory)}); give a smaller --source or a smaller --capacity-mib");
        }

        return source;
    }
}
