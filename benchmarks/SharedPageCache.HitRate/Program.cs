using SharedPageCache;
using SharedPageCache.HitRate;

if (!Arguments.TryParse(args, out Arguments? arguments, out string message))
{
    Console.Error.WriteLine(message);
    return 2;
}

try
{
    List<Measurement> measurements = [];
    List<CloneMeasurement> clones = [];
    foreach (IGrouping<string, ReferenceRow> rows in ReferenceTable.Read(arguments.Traces).GroupBy(row => row.Trace))
    {
        if (arguments.Trace is not null && arguments.Trace != rows.Key)
        {
            continue;
        }

        Trace trace = Trace.Read(arguments.Traces, rows.Key);
        foreach (ReferenceRow row in rows)
        {
            foreach (ReplayedPolicy policy in arguments.Policies)
            {
                if (arguments.Clones)
                {
                    clones.Add(MeasureClones(trace, row, policy));
                    continue;
                }

                measurements.Add(new(row, policy, Replay.HitRatio(trace, row.CachePages, policy.Policy)));
                if (arguments.Format == OutputFormat.Lines)
                {
                    Report.WriteRow(Console.Out, measurements[^1], first: measurements.Count == 1);
                }
            }
        }
    }

    if (measurements.Count + clones.Count == 0)
    {
        Console.Error.WriteLine($"reference.tsv has no trace {arguments.Trace}.");
        return 2;
    }

    Report.Write(Console.Out, arguments.Format, measurements, clones);
    if (arguments.Plots is { } folder)
    {
        Plot.Write(folder, measurements).ForEach(Console.Error.WriteLine);
    }

    return 0;
}
catch (Exception error) when (error is IOException or InvalidDataException)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}

static CloneMeasurement MeasureClones(Trace trace, ReferenceRow row, ReplayedPolicy policy)
{
    return new(row, policy, Measure(true, SharerWeight.None), Measure(true, SharerWeight.Doublings), Measure(false, SharerWeight.None));

    double Measure(bool isShared, SharerWeight weight) => CloneReplay.HitRatio(trace, row.CachePages, policy.Policy, isShared, weight);
}
