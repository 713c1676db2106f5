using BenchmarkDotNet.Running;
using SharedPageCache.Benchmarks;
using SharedPageCache.Benchmarks.Bars;
using SharedPageCache.Benchmarks.Latency;
using SharedPageCache.Measures;

// "dotnet": BenchmarkDotNet's, with its own options. "checked": what checked mode costs. Else the bars: ratios, side by side in one process.
if (args is ["dotnet", .. var rest])
{
    BenchmarkSwitcher.FromAssembly(typeof(HitBenchmarks).Assembly).Run(rest);
    return 0;
}

if (args is ["checked"])
{
    new CheckedRatios().Run();
    return 0;
}

HouseArguments arguments;
try
{
    arguments = HouseArguments.Parse(args);
}
catch (ArgumentException error)
{
    Console.Error.WriteLine($"{error.Message}{Environment.NewLine}{Environment.NewLine}  dotnet ...        BenchmarkDotNet, with its own options{Environment.NewLine}  checked           what checked mode costs{Environment.NewLine}{HouseArguments.Usage}");
    return 2;
}

arguments.Run(
    "SharedPageCache.Benchmarks",
    ("memory", () => MemoryBars.Measure(arguments)),
    ("hits", () => HitBars.Measure(arguments)),
    ("latency", () => LatencyBars.Measure(arguments)),
    ("faults", () => FaultBars.Measure(arguments)),
    ("clones", () => CloneBars.Measure(arguments)),
    ("writes", () => WriteBars.Measure(arguments)),
    ("misses", () => MissBars.Measure(arguments)),
    ("sizes", () => SizeBars.Measure(arguments)));
return 0;
