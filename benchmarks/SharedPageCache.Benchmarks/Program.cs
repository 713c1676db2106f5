using BenchmarkDotNet.Running;
using SharedPageCache.Benchmarks;

// No argument: the ratios to a raw copy, side by side in one process. "writes": those of the write side. "checked": what
// checked mode costs. Else BenchmarkDotNet's.
if (args.Length == 0)
{
    new Ratios().Run(1L << 30);
}
else if (args is ["writes"])
{
    new WriteRatios().Run(1L << 30);
}
else if (args is ["checked"])
{
    new CheckedRatios().Run();
}
else
{
    BenchmarkSwitcher.FromAssembly(typeof(HitBenchmarks).Assembly).Run(args);
}
