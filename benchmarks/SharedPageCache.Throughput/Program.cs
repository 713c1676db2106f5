using SharedPageCache.Measures;
using SharedPageCache.Throughput;

HouseArguments arguments;
try
{
    arguments = HouseArguments.Parse(args);
}
catch (ArgumentException error)
{
    Console.Error.WriteLine($"{error.Message}{Environment.NewLine}{Environment.NewLine}{HouseArguments.Usage}");
    return 2;
}

arguments.Run(
    "SharedPageCache.Throughput",
    ("threads", () => ThreadScenarios.Measure(arguments)),
    ("landings", () => LandingScenarios.Measure(arguments)),
    ("memory", () => CloneMemory.Measure(arguments)),
    ("storms", () => Storms.Measure(arguments)));
return 0;
