using SharedPageCache.HitRate;

if (!Arguments.TryParse(args, out Arguments? arguments, out string message))
{
    Console.Error.WriteLine(message);
    return 2;
}

try
{
    List<Measurement> measurements = [];
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
                Measurement measurement = new(row, policy, Replay.HitRatio(trace, row.CachePages, policy.Policy));
                measurements.Add(measurement);
                if (!arguments.Json)
                {
                    Report.WriteRow(Console.Out, measurement, first: measurements.Count == 1);
                }
            }
        }
    }

    if (measurements.Count == 0)
    {
        Console.Error.WriteLine($"reference.tsv has no trace {arguments.Trace}.");
        return 2;
    }

    if (arguments.Json)
    {
        Report.WriteJson(Console.Out, measurements);
    }
    else
    {
        Report.WriteSummary(Console.Out, measurements);
    }

    return 0;
}
catch (Exception error) when (error is IOException or InvalidDataException)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}
